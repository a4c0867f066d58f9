"""Routes about orders: place, modify, cancel, the two books, and what they say of one order."""

import sqlite3
import time

from flask import Blueprint, Response, request

from pulse_ops.paper_exchange import readings
from pulse_ops.paper_exchange.checks import OrderRequest, check, check_variety
from pulse_ops.paper_exchange.context import count, desk, success, success_of_rows
from pulse_ops.paper_exchange.entry import is_in_book
from pulse_ops.paper_exchange.errors import ConnectionDropped, WireError, unknown_order
from pulse_ops.paper_exchange.exchange import Arrived, Exchange, Hits
from pulse_ops.paper_exchange.faults import Stage

orders = Blueprint("orders", __name__)

# No client waits longer, and none of them keeps a thread for as long as a late acceptance takes.
_LONGEST_ANSWER = 10.0


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
    _suffer_before(exchange, arrived, order, hits)
    order_id = _accept(exchange, arrived, order, hits)
    return _suffer_after(hits) or success({"order_id": order_id})


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


def _suffer_before(exchange: Exchange, arrived: Arrived, order: OrderRequest, hits: Hits) -> None:
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


def _accept(exchange: Exchange, arrived: Arrived, order: OrderRequest, hits: Hits) -> str:
    if Stage.ENTRY not in hits:
        return exchange.accept(arrived, order, hits)
    try:
        return exchange.accept_later(arrived, order, hits).result(_LONGEST_ANSWER)
    except TimeoutError:
        raise ConnectionDropped from None


def _suffer_after(hits: Hits) -> Response | None:
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


def _found(order_id: str) -> sqlite3.Row:
    books = desk().exchange.books
    now = books.now()
    order = books.order(order_id)
    if order is None or not is_in_book(order, books.day(now)) or order["visible_at"] > now:
        raise unknown_order()
    return order
