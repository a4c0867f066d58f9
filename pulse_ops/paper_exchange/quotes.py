"""Routes about the market: prices, margins, instruments."""

import csv
import io
from typing import Any

from flask import Blueprint, Response, request

from pulse_ops.paper_exchange import wire
from pulse_ops.paper_exchange.context import desk, success
from pulse_ops.paper_exchange.errors import bad_input

quotes = Blueprint("quotes", __name__)

_COLUMNS = (
    "instrument_token",
    "exchange_token",
    "tradingsymbol",
    "name",
    "last_price",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)


@quotes.get("/quote/ltp")
def last_prices() -> Response:
    """The last price of each instrument asked for."""
    market = desk().exchange.market
    return success(
        {
            name: {"instrument_token": wire.instrument_token(name), "last_price": wire.rupees(market.price(name))}
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


@quotes.get("/instruments/<exchange>")
def instruments(exchange: str) -> Response:
    """What is traded on an exchange, as CSV."""
    market = desk().exchange.market
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(_COLUMNS)
    for name in market.instruments():
        place_of_trade, _, symbol = name.partition(":")
        if place_of_trade == exchange:
            token, price = wire.instrument_token(name), wire.rupees(market.price(name))
            rows.writerow([token, token, symbol, symbol, price, "", 0, 0.05, 1, "EQ", exchange, exchange])
    return Response(text.getvalue(), mimetype="text/csv")


def _margin(order: Any) -> dict[str, Any]:
    try:
        name, quantity = f"{order['exchange']}:{order['tradingsymbol']}", int(order["quantity"])
    except (KeyError, TypeError, ValueError):
        raise bad_input("Invalid order.") from None
    total = wire.rupees(desk().exchange.market.price(name) * quantity)
    return {"type": "equity", "exchange": order["exchange"], "tradingsymbol": order["tradingsymbol"], "total": total}
