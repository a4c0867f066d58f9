"""Routes about the account: its money and its shares."""

from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, jsonify

from pulse_ops.paper_exchange.alpaca.checks import ASSETS
from pulse_ops.paper_exchange.alpaca.errors import Refusal
from pulse_ops.paper_exchange.alpaca.wire import dollars
from pulse_ops.paper_exchange.context import desk

account = Blueprint("account", __name__, url_prefix="/v2")

NO_POSITION = 40410000


@account.get("/account")
def show_account() -> Response:
    """What the account has. It trades with what it has, and borrows nothing."""
    has = desk().exchange.entry.account
    left = dollars(has.cash() - has.used())
    told: dict[str, Any] = {"status": "ACTIVE", "currency": "USD", "cash": left, "buying_power": left}
    return jsonify({"id": "paper", "account_number": "PAPER", "trading_blocked": False, "multiplier": "1", **told})


@account.get("/positions/<symbol>")
def show_position(symbol: str) -> Response:
    """The shares of one symbol; those that open orders will sell are not available."""
    if symbol not in ASSETS:
        raise Refusal(404, f"symbol not found: {symbol}", NO_POSITION)
    free, held = desk().exchange.entry.account.shares(symbol), desk().exchange.entry.account.held(symbol)
    if held <= 0:
        raise Refusal(404, "position does not exist", NO_POSITION)
    price = Decimal(desk().exchange.market.price(f"{ASSETS[symbol]}:{symbol}")) / 100
    return jsonify(
        {
            "symbol": symbol,
            "exchange": ASSETS[symbol],
            "asset_class": "us_equity",
            "side": "long",
            "qty": str(held),
            "qty_available": str(max(free, 0)),
            "current_price": f"{price:.2f}",
            "market_value": f"{price * held:.2f}",
        }
    )
