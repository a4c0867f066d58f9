"""Routes about orders: place, modify, cancel, the two books, and what they say of one order."""

import sqlite3

from flask import Blueprint, Response, request

from pulse_ops.paper_exchange import readings
from pulse_ops.paper_exchange.checks import check, check_variety
from pulse_ops.paper_exchange.context import count, desk, success, success_of_rows
from pulse_ops.paper_exchange.entry import is_in_book
from pulse_ops.paper_exchange.errors import ConnectionDropped, WireError, unknown_order
from pulse_ops.paper_exchange.faults import Stage
from pulse_ops.paper_exchange.suffering import accept, suffer_after, suffer_before

orders = Blueprint("orders", __name__)


@orders.post("/orders/<variety>")
def place(variety: str) -> Response | tuple[str, int]:
    """Register an order."""
    exchange = desk().exchange
    at = exchange.books.now()
    form = request.form.to_dict()
    arrived = exchange.arrive(at, form)
    try:
        count("orders")
        order = check(variety, form)
        exchange.entry.check(order, at)
    except WireError as refusal:
        exchange.turn_away(arrived, "RATE_LIMITED" if refusal.status == 429 else "REFUSED", {})
        raise
    hits = exchange.faults_for(arrived, order)
    suffer_before(exchange, arrived, order, hits)
    order_id = accept(exchange, arrived, order, hits)
    return suffer_after(hits) or success({"order_id": order_id})


@orders.put("/orders/<variety>/<order_id>")
def modify(variety: str, order_id: str) -> Response:
    """Change the terms of an order."""
    check_variety(variety)
    desk().exchange.modify(order_id, variety, request.form.to_dict())
    return success({"order_id": order_id})


@orders.delete("/orders/<variety>/<order_id>")
def cancel(variety: str, order_id: str) -> Response:
    """Cancel what is left of an order."""
    check_variety(variety)
    exchange = desk().exchange
    rule = exchange.fault_for(Stage.CANCEL)
    if rule is not None and rule.fault == "cancel_down":
        raise WireError(rule.status, "NetworkException", rule.message)
    exchange.cancel(order_id, variety)
    if rule is not None:
        raise ConnectionDropped
    return success({"order_id": order_id})


@orders.get("/orders")
def order_book() -> Response:
    """Every order of today."""
    exchange = desk().exchange
    return success_of_rows(readings.order_book(exchange.books, exchange.fault_for(Stage.READ), exchange.books.now()))


@orders.get("/trades")
def trade_book() -> Response:
    """Every trade of today."""
    exchange = desk().exchange
    return success_of_rows(readings.trade_book(exchange.books, exchange.fault_for(Stage.READ), exchange.books.now()))


@orders.get("/orders/<order_id>")
def order_history(order_id: str) -> Response:
    """One row for each change of an order."""
    exchange = desk().exchange
    rule = exchange.fault_for(Stage.READ)
    return success_of_rows(readings.order_history(exchange.books, rule, exchange.books.now(), _found(order_id)))


@orders.get("/orders/<order_id>/trades")
def order_trades(order_id: str) -> Response:
    """The trades of an order."""
    exchange = desk().exchange
    rule = exchange.fault_for(Stage.READ)
    return success_of_rows(readings.order_trades(exchange.books, rule, exchange.books.now(), _found(order_id)))


def _found(order_id: str) -> sqlite3.Row:
    books = desk().exchange.books
    now = books.now()
    order = books.order(order_id)
    if order is None or not is_in_book(order, books.day(now)) or order["visible_at"] > now:
        raise unknown_order()
    return order
