"""Routes that write: place and cancel. A client order id is taken once, for ever."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from flask import Blueprint, Response, current_app, jsonify, request

from pulse_ops.paper_exchange.alpaca import wire
from pulse_ops.paper_exchange.alpaca.checks import check, form_of
from pulse_ops.paper_exchange.alpaca.errors import Refusal, unprocessable
from pulse_ops.paper_exchange.alpaca.standing import account_stands
from pulse_ops.paper_exchange.context import desk
from pulse_ops.paper_exchange.errors import ConnectionDropped, WireError
from pulse_ops.paper_exchange.exchange import Exchange
from pulse_ops.paper_exchange.faults import Stage
from pulse_ops.paper_exchange.store import FINAL, Books
from pulse_ops.paper_exchange.suffering import accept, suffer_after, suffer_before

orders = Blueprint("orders", __name__, url_prefix="/v2")

IN_USE = "client_order_id must be unique"


class ClientOrderIds:
    """Those of the ledger, and those of requests that are being looked at. Safe to use from many threads."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._lock = Lock()
        self._looked_at: set[str] = set()

    @contextmanager
    def taken(self, client_order_id: str) -> Iterator[None]:
        """Have the id for oneself meanwhile. Raises Refusal when it is in use."""
        with self._lock:
            in_ledger = self._books.rows("SELECT 1 FROM orders WHERE tag = ? LIMIT 1", client_order_id)
            if in_ledger or client_order_id in self._looked_at:
                raise unprocessable(IN_USE)
            self._looked_at.add(client_order_id)
        try:
            yield
        finally:
            with self._lock:
                self._looked_at.discard(client_order_id)


@orders.post("/orders")
def place() -> Response | tuple[Response, int] | tuple[str, int]:
    """Take an order."""
    exchange = desk().exchange
    body = request.get_json(silent=True)
    body = body if isinstance(body, dict) else {}
    arrived = exchange.arrive(exchange.books.now(), form_of(body))
    ids: ClientOrderIds = current_app.extensions["client_order_ids"]
    try:
        account_stands().check_trading()
        order = check(body)
        with ids.taken(order.tag or ""):
            hits = exchange.faults_for(arrived, order)
            suffer_before(exchange, arrived, order, hits)
            order_id = accept(exchange, arrived, order, hits)
    except Refusal:
        exchange.turn_away(arrived, "REFUSED", {})
        raise
    return suffer_after(hits) or jsonify(_shown(exchange, order_id))


@orders.delete("/orders/<order_id>")
def cancel(order_id: str) -> tuple[str, int]:
    """Cancel what is left of an order."""
    exchange = desk().exchange
    rule = exchange.fault_for(Stage.CANCEL)
    if rule is not None and rule.fault == "cancel_down":
        raise WireError(rule.status, "NetworkException", rule.message)
    order = exchange.books.order(order_id)
    if order is None:
        raise Refusal(404, f"order not found for {order_id}")
    if order["status"] in FINAL:
        raise Refusal(422, f'order is already in "{wire.status_of(order)}" state')
    exchange.cancel(order_id, "regular")
    if rule is not None:
        raise ConnectionDropped
    return "", 204


def _shown(exchange: Exchange, order_id: str) -> dict[str, object]:
    order = exchange.books.order(order_id)
    return {} if order is None else wire.order_row(order)
