"""What the scenario does to a placement around its acceptance, the same on every wire."""

import time

from flask import Response

from pulse_ops.paper_exchange.checks import OrderRequest
from pulse_ops.paper_exchange.errors import ConnectionDropped, WireError
from pulse_ops.paper_exchange.exchange import Arrived, Exchange, Hits
from pulse_ops.paper_exchange.faults import Stage

# No client waits longer, and none of them keeps a thread for as long as a late acceptance takes.
_LONGEST_ANSWER = 10.0


def suffer_before(exchange: Exchange, arrived: Arrived, order: OrderRequest, hits: Hits) -> None:
    """What strikes before an order is taken. Raises WireError or ConnectionDropped."""
    rule = hits.get(Stage.ENTRY)
    if rule is None or rule.fault == "slow_accept":
        return
    if rule.fault == "refuse_in_book":
        exchange.refuse_in_book(arrived, order, hits, rule.message)
        raise WireError(400, rule.error_type, rule.message)
    errors: dict[str, tuple[str, Exception]] = {
        "rate_limited": ("RATE_LIMITED", WireError(429, "NetworkException", "Too many requests")),
        "refuse": ("REFUSED", WireError(400, rule.error_type, rule.message)),
        "error_before": ("ERROR", WireError(rule.status, "NetworkException", rule.message)),
        "lost_before": ("LOST", ConnectionDropped()),
    }
    outcome, error = errors[rule.fault]
    exchange.turn_away(arrived, outcome, hits)
    raise error


def accept(exchange: Exchange, arrived: Arrived, order: OrderRequest, hits: Hits) -> str:
    """Take an order, at once or late; its id. Raises ConnectionDropped."""
    if Stage.ENTRY not in hits:
        return exchange.accept(arrived, order, hits)
    try:
        return exchange.accept_later(arrived, order, hits).result(_LONGEST_ANSWER)
    except TimeoutError:
        raise ConnectionDropped from None


def suffer_after(hits: Hits) -> Response | None:
    """What is answered in place of an acknowledgement; None: nothing strikes. Raises WireError or ConnectionDropped."""
    delay, answer = hits.get(Stage.DELAY), hits.get(Stage.ANSWER)
    if delay is not None:
        time.sleep(delay.seconds)
    if answer is None:
        return None
    if answer.fault == "ack_lost":
        raise ConnectionDropped
    if answer.fault == "error_after":
        raise WireError(answer.status, "NetworkException", answer.message)
    return Response("<html><body>Your order is being", mimetype="text/html")
