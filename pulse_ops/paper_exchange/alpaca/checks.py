"""The checks that Alpaca makes before it takes an order."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from pulse_ops.paper_exchange.alpaca.assets import assets
from pulse_ops.paper_exchange.alpaca.errors import Refusal, unprocessable
from pulse_ops.paper_exchange.checks import OrderRequest

A_CENT = 1

_ID = re.compile(r"[\x21-\x7e]{1,128}")
_QUANTITY = re.compile(r"[0-9]{1,9}")


def form_of(order: Mapping[str, Any]) -> dict[str, str]:
    """An order as the ledger's arrivals have it, whatever is wrong with it."""
    symbol = _text(order, "symbol")
    return {
        "exchange": assets()[symbol].exchange if symbol in assets() else "",
        "tradingsymbol": symbol,
        "tag": _text(order, "client_order_id"),
        "transaction_type": _text(order, "side").upper(),
        "quantity": _text(order, "qty"),
    }


def check(order: Mapping[str, Any]) -> OrderRequest:
    """The order in a body. Raises Refusal."""
    form = form_of(order)
    if not form["exchange"]:
        raise unprocessable(f'asset "{form["tradingsymbol"]}" not found')
    asset = assets()[form["tradingsymbol"]]
    if not asset.is_active:
        raise unprocessable(f'asset "{asset.symbol}" is not active')
    if not asset.is_tradable:
        raise unprocessable(f'asset "{asset.symbol}" is not tradable')
    if form["transaction_type"] not in ("BUY", "SELL"):
        raise unprocessable("side must be buy or sell")
    if not _ID.fullmatch(form["tag"]):
        raise unprocessable("client_order_id must be 1 to 128 characters")
    if not _QUANTITY.fullmatch(form["quantity"]) or int(form["quantity"]) < 1:
        raise unprocessable("qty must be a whole number of shares here")
    if order.get("time_in_force") != "day":
        raise Refusal(501, "the paper exchange knows orders of the day only")
    kind = order.get("type")
    if kind not in ("market", "limit"):
        raise unprocessable("type must be market or limit")
    return OrderRequest(
        exchange=form["exchange"],
        tradingsymbol=form["tradingsymbol"],
        transaction_type=form["transaction_type"],
        quantity=int(form["quantity"]),
        product="CNC",
        order_type=kind.upper(),
        validity="DAY",
        price=_cents(_text(order, "limit_price")) if kind == "limit" else None,
        market_protection=None,
        tag=form["tag"],
    )


def _text(order: Mapping[str, Any], name: str) -> str:
    value = order.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _cents(text: str) -> int:
    try:
        price = Decimal(text)
    except InvalidOperation:
        raise unprocessable("limit_price must be a number") from None
    cents = price * 100
    if not price.is_finite() or not 0 < cents <= 10**9:
        raise unprocessable("limit_price must be positive")
    if cents % A_CENT:
        raise unprocessable("sub-penny increment does not fulfill minimum pricing criteria")
    return int(cents)
