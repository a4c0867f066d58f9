"""Routes about the market: prices, margins, instruments."""

from typing import Any

from flask import Blueprint, Response, request

from pulse_ops.paper_exchange import wire
from pulse_ops.paper_exchange.checks import EXCHANGES
from pulse_ops.paper_exchange.context import desk, success
from pulse_ops.paper_exchange.errors import bad_input
from pulse_ops.paper_exchange.instruments.dump import dump
from pulse_ops.paper_exchange.instruments.listing import token_of

quotes = Blueprint("quotes", __name__)


@quotes.get("/quote/ltp")
def last_prices() -> Response:
    """The last price of each instrument asked for."""
    market = desk().exchange.market
    return success(
        {
            name: {"instrument_token": token_of(name), "last_price": wire.rupees(market.price(name))}
            for name in request.args.getlist("i")
        }
    )


@quotes.post("/margins/orders")
def margins() -> Response:
    """The cash that orders need: their value at the last price."""
    orders = request.get_json(silent=True)
    if not isinstance(orders, list):
        raise bad_input("Invalid JSON body.")
    return success([_margin(order) for order in orders])


@quotes.get("/instruments")
@quotes.get("/instruments/<exchange>")
def instruments(exchange: str | None = None) -> Response:
    """What is traded today, everywhere or on one exchange, as CSV."""
    if exchange is not None and exchange not in EXCHANGES:
        raise bad_input("Invalid `exchange`.")
    asked = desk().exchange
    found = [one for one in asked.listed().values() if exchange in (None, one.exchange)]
    return Response(dump(found, lambda one: asked.market.price(one.key)), mimetype="text/csv")


def _margin(order: Any) -> dict[str, Any]:
    try:
        name, quantity = f"{order['exchange']}:{order['tradingsymbol']}", int(order["quantity"])
    except (KeyError, TypeError, ValueError):
        raise bad_input("Invalid order.") from None
    total = wire.rupees(desk().exchange.market.price(name) * quantity)
    return {"type": "equity", "exchange": order["exchange"], "tradingsymbol": order["tradingsymbol"], "total": total}
