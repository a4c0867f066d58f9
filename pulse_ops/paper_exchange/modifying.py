"""Orders whose terms are changed: what may be, and how it is booked."""

import sqlite3
from collections.abc import Mapping

from pulse_ops.paper_exchange.checks import OrderRequest, check
from pulse_ops.paper_exchange.errors import WireError, bad_input
from pulse_ops.paper_exchange.store import FINAL, Books

MOST_MODIFICATIONS = 25

_MAY_CHANGE = (
    "quantity",
    "price",
    "order_type",
    "trigger_price",
    "validity",
    "validity_ttl",
    "disclosed_quantity",
    "market_protection",
)
_BUSY = frozenset({"OPEN PENDING"})
_MINUTE_US = 60_000_000


def modified(order: sqlite3.Row, variety: str, changes: Mapping[str, str]) -> OrderRequest:
    """The terms of an order with these changes. Raises WireError."""
    if variety != order["variety"]:
        raise bad_input("Invalid `variety`.")
    if order["status"] in FINAL:
        raise WireError(400, "OrderException", f"Order cannot be modified: it is {order['status']}.")
    if order["status"] in _BUSY:
        raise WireError(400, "OrderException", "Order cannot be modified as it is being processed. Try later.")
    if order["modifications"] >= MOST_MODIFICATIONS:
        raise WireError(429, "NetworkException", "Maximum allowed order modifications exceeded.")
    request = check(variety, _form_of(order) | {name: changes[name] for name in _MAY_CHANGE if changes.get(name)})
    if request.quantity <= order["filled_quantity"]:
        raise bad_input("Invalid `quantity`.")
    return request


def book_modification(books: Books, order: sqlite3.Row, request: OrderRequest, now: int, blocked: int) -> None:
    """Book the new terms, what they block, and the states between which Kite shows."""
    order_id, status = order["order_id"], order["status"]
    if status != "AMO REQ RECEIVED":
        status = "TRIGGER PENDING" if request.is_stop else "OPEN"
    for interim in ("MODIFY VALIDATION PENDING", "MODIFY PENDING"):
        books.change_order(order_id, status=interim, updated_at=now)
        books.add_change(order_id)
    books.change_order(
        order_id,
        status=status,
        quantity=request.quantity,
        price=request.price,
        order_type=request.order_type,
        trigger_price=request.trigger_price,
        validity=request.validity,
        validity_ttl=request.validity_ttl,
        disclosed_quantity=request.disclosed_quantity,
        market_protection=request.market_protection,
        limit_price=request.price if request.order_type == "LIMIT" else None,
        modifications=order["modifications"] + 1,
        blocked=blocked,
        due_at=_due_at(order, request, now),
        updated_at=now,
    )
    books.add_change(order_id)


def _due_at(order: sqlite3.Row, request: OrderRequest, now: int) -> int | None:
    if order["status"] == "AMO REQ RECEIVED":
        waits_until: int = order["due_at"]
        return waits_until
    return now + request.validity_ttl * _MINUTE_US if request.validity_ttl else None


def _form_of(order: sqlite3.Row) -> dict[str, str]:
    stands_at = {"price": order["price"], "trigger_price": order["trigger_price"]}
    stated = {name: f"{price / 100:.2f}" for name, price in stands_at.items() if price is not None}
    names = ("exchange", "tradingsymbol", "transaction_type", "quantity", "product", "order_type", "validity")
    more = ("validity_ttl", "disclosed_quantity", "market_protection", "tag")
    given = {name: str(order[name]) for name in (*names, *more) if order[name] is not None}
    # A market order that became a limit order, as its rest stands at the band that protects it.
    if order["order_type"] == "MARKET" and order["limit_price"] is not None:
        given |= {"order_type": "LIMIT", "price": f"{order['limit_price'] / 100:.2f}"}
    return stated | given
