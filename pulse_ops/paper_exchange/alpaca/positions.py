"""The route about the shares of the account."""

from decimal import Decimal

from flask import Blueprint, Response, jsonify

from pulse_ops.paper_exchange.alpaca.assets import assets
from pulse_ops.paper_exchange.alpaca.errors import Refusal
from pulse_ops.paper_exchange.context import desk

positions = Blueprint("positions", __name__, url_prefix="/v2")

NO_POSITION = 40410000


@positions.get("/positions/<symbol>")
def show_position(symbol: str) -> Response:
    """The shares of one symbol; those that open orders will sell are not available."""
    if symbol not in assets():
        raise Refusal(404, f"symbol not found: {symbol}", NO_POSITION)
    account, exchange = desk().exchange.entry.account, assets()[symbol].exchange
    held = account.held(symbol)
    if held <= 0:
        raise Refusal(404, "position does not exist", NO_POSITION)
    price = Decimal(desk().exchange.market.price(f"{exchange}:{symbol}")) / 100
    return jsonify(
        {
            "symbol": symbol,
            "exchange": exchange,
            "asset_class": "us_equity",
            "side": "long",
            "qty": str(held),
            "qty_available": str(max(account.shares(symbol), 0)),
            "current_price": f"{price:.2f}",
            "market_value": f"{price * held:.2f}",
        }
    )
