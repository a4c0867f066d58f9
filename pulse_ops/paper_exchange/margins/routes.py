"""Routes that reckon what orders would need and cost."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request

from pulse_ops.paper_exchange.checks import OrderRequest, check
from pulse_ops.paper_exchange.context import desk, success
from pulse_ops.paper_exchange.errors import bad_input
from pulse_ops.paper_exchange.instruments.instrument import Instrument
from pulse_ops.paper_exchange.margins.charges import contract_note
from pulse_ops.paper_exchange.margins.margin import basket, order_margin, price_of
from pulse_ops.paper_exchange.rules.terms import check_terms

margins = Blueprint("margins", __name__)


@margins.post("/margins/orders")
def orders() -> Response:
    """What each of these orders would block."""
    return success([order_margin(*one) for one in _asked()])


@margins.post("/margins/basket")
def together() -> Response:
    """What these orders would block together."""
    return success(basket([order_margin(*one) for one in _asked()]))


@margins.post("/charges/orders")
def charges() -> Response:
    """What each of these orders would cost."""
    rows = [contract_note(order, instrument, price_of(order, last)) for order, instrument, last in _asked()]
    return success(rows)


def _asked() -> Iterator[tuple[OrderRequest, Instrument, int]]:
    exchange = desk().exchange
    stated = request.get_json(silent=True)
    if not isinstance(stated, list) or not all(isinstance(one, dict) for one in stated):
        raise bad_input("Invalid JSON body.")
    for one in stated:
        order = check(str(one.get("variety", "regular")), _form(one))
        yield order, check_terms(order, exchange.entry.find(order.instrument)), exchange.market.price(order.instrument)


def _form(stated: dict[str, Any]) -> dict[str, str]:
    # Who only asks need say neither how far a market order may go nor what sets it off.
    form = {name: str(value) for name, value in stated.items() if value not in (None, "")}
    if form.get("order_type") in ("MARKET", "SL-M"):
        form.setdefault("market_protection", "-1")
    if "average_price" in form and form.get("price") in (None, "0"):
        form["price"] = form["average_price"]
    return form
