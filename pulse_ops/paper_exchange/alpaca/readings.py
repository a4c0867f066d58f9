"""Routes that read: orders of any day, one by either of its ids, and fills, page by page."""

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import Blueprint, Response, jsonify, request

from pulse_ops.paper_exchange.alpaca import wire
from pulse_ops.paper_exchange.alpaca.errors import Refusal, unprocessable
from pulse_ops.paper_exchange.context import desk
from pulse_ops.paper_exchange.errors import WireError
from pulse_ops.paper_exchange.faults import Stage

Row = TypeVar("Row")

readings = Blueprint("readings", __name__, url_prefix="/v2")

_ORDERS = (
    "SELECT * FROM orders WHERE visible_at <= ? AND placed_at > ? AND placed_at < ? ORDER BY placed_at {}, number {}"
    " LIMIT ?"
)
_BY_TAG = "SELECT * FROM orders WHERE tag = ? AND visible_at <= ?"
_FILLS = (
    "SELECT trades.*, tradingsymbol, transaction_type, orders.quantity AS order_quantity,"
    " orders.filled_quantity AS filled_quantity FROM trades JOIN orders USING (order_id)"
    " WHERE visible_at <= ? AND traded_at > ? AND trades.number > ? AND (? = '' OR order_id = ?)"
    " ORDER BY trades.number LIMIT ?"
)
_OPEN = frozenset({"new", "partially_filled", "pending_new"})
_LATEST = 1 << 62


@readings.get("/orders")
def order_book() -> Response:
    """Orders by the instant they were submitted."""
    status, direction = request.args.get("status", "open"), request.args.get("direction", "desc")
    if status not in ("open", "closed", "all") or direction not in ("asc", "desc"):
        raise unprocessable("status must be open, closed or all, and direction asc or desc")
    query = _ORDERS.format(direction, direction)
    limit = _number("limit", 50, 500)
    found = desk().exchange.books.rows(
        query, desk().exchange.books.now(), _instant("after", 0), _instant("until", _LATEST), limit
    )
    rows = [wire.order_row(row) for row in suffered(found)]
    return jsonify([row for row in rows if status == "all" or (row["status"] in _OPEN) == (status == "open")])


@readings.get("/orders/<order_id>")
def order(order_id: str) -> Response:
    """One order by its id."""
    found = desk().exchange.books.order(order_id)
    return _one(found if found is not None and found["visible_at"] <= desk().exchange.books.now() else None, order_id)


@readings.get("/orders:by_client_order_id")
def order_by_client_order_id() -> Response:
    """One order by the id that its client gave it."""
    client_order_id = request.args.get("client_order_id", "")
    found = desk().exchange.books.rows(_BY_TAG, client_order_id, desk().exchange.books.now())
    return _one(found[0] if found else None, client_order_id)


@readings.get("/account/activities/FILL")
def fills() -> Response:
    """Fills in the order they happened; `page_token` is the id of the last one that was shown."""
    if request.args.get("direction", "desc") != "asc":
        raise Refusal(501, "the paper exchange shows fills in ascending order only")
    size = _number("page_size", 100, 100)
    of_order = request.args.get("order_id", "")
    found = desk().exchange.books.rows(
        _FILLS, desk().exchange.books.now(), _instant("after", -1), _last_shown(), of_order, of_order, size
    )
    return jsonify([wire.fill_row(row) for row in suffered(found)])


def _one(found: sqlite3.Row | None, asked: str) -> Response:
    rows = suffered([] if found is None else [found])
    if not rows:
        raise Refusal(404, f"order not found for {asked}")
    return jsonify(wire.order_row(rows[0]))


def suffered(rows: list[Row]) -> list[Row]:
    """The rows as a reading shows them that suffers what the scenario has in store. Raises WireError or Refusal."""
    rule = desk().exchange.fault_for(Stage.READ)
    if rule is None:
        return rows
    if rule.fault == "book_down":
        raise WireError(rule.status, "NetworkException", rule.message)
    if rule.fault == "book_empty":
        return []
    if rule.fault == "book_cut":
        return rows[: int(len(rows) * rule.fraction)]
    raise Refusal(501, f"this wire has no {rule.fault}")


def _last_shown() -> int:
    token = request.args.get("page_token", "")
    if not token:
        return 0
    found = desk().exchange.books.rows("SELECT number FROM trades WHERE trade_id = ?", token.rpartition("::")[2])
    if not found:
        raise unprocessable("page_token is the id of no activity")
    return int(found[0]["number"])


def _number(name: str, unset: int, most: int) -> int:
    given = _args().get(name)
    if given is None:
        return unset
    if not given.isdecimal() or not 1 <= int(given) <= most:
        raise unprocessable(f"{name} must be 1 to {most}")
    return int(given)


def _instant(name: str, unset: int) -> int:
    given = _args().get(name)
    if given is None:
        return unset
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise unprocessable(f"{name} is no instant") from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def _args() -> Mapping[str, Any]:
    return request.args
