"""What the routes of the exchange share."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import Response, current_app, jsonify

from pulse_ops.paper_exchange.exchange import Exchange
from pulse_ops.paper_exchange.limits import Limits
from pulse_ops.paper_exchange.logins.logins import Logins


@dataclass(frozen=True)
class Desk:
    """What the routes work with. `limits` is None when they are set off."""

    exchange: Exchange
    limits: Limits | None
    logins: Logins


def desk() -> Desk:
    """The desk of the application that serves this request."""
    found: Desk = current_app.extensions["desk"]
    return found


def count(kind: str) -> None:
    """Count this request against the rate limit of its kind. Raises WireError 429."""
    limits = desk().limits
    if limits is not None:
        limits.take(kind, desk().exchange.books.now() / 1_000_000)


def success(data: Any) -> Response:
    """An answer as Kite wraps it."""
    return jsonify(status="success", data=data)


def success_of_rows(rows: Iterable[str]) -> Response:
    """The same for a list whose rows are JSON texts."""
    return Response(f'{{"status":"success","data":[{",".join(rows)}]}}', mimetype="application/json")
