"""What an order blocks, as POST /margins/orders and /margins/basket say it."""

from collections.abc import Sequence
from typing import Any

from pulse_ops.paper_exchange.checks import OrderRequest
from pulse_ops.paper_exchange.instruments.instrument import Instrument
from pulse_ops.paper_exchange.margins.charges import charges, no_charges
from pulse_ops.paper_exchange.margins.rates import DERIVATIVES, share_blocked

_PARTS = ("span", "exposure", "option_premium", "additional", "bo", "cash", "var")


def price_of(order: OrderRequest, last_price: int) -> int:
    """The price in paise at which an order is valued."""
    return order.price or order.trigger_price or last_price


def blocked(order: OrderRequest, instrument: Instrument, last_price: int) -> int:
    """What an order blocks, in paise; selling shares for delivery blocks nothing."""
    is_sale = order.transaction_type == "SELL"
    if order.product == "CNC" and is_sale:
        return 0
    if instrument.strike and is_sale:
        return round(instrument.strike * 100 * order.quantity * DERIVATIVES)
    return round(price_of(order, last_price) * order.quantity * share_blocked(instrument.key, order.product))


def order_margin(order: OrderRequest, instrument: Instrument, last_price: int) -> dict[str, Any]:
    """A row of the answer about single orders."""
    total = blocked(order, instrument, last_price)
    part = "var" if not instrument.is_derivative else "option_premium" if _is_premium(order, instrument) else "span"
    return {
        "type": "equity",
        "tradingsymbol": order.tradingsymbol,
        "exchange": order.exchange,
        **dict.fromkeys(_PARTS, 0),
        part: total / 100,
        "pnl": {"realised": 0, "unrealised": 0},
        "leverage": round(1 / share_blocked(instrument.key, order.product)),
        "charges": charges(order, instrument, price_of(order, last_price)),
        "total": total / 100,
    }


def basket(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The answer about orders together: no benefit is reckoned, so that both sums are the same."""
    total = {part: sum(row[part] for row in rows) for part in (*_PARTS, "total")}
    both = {
        "type": "",
        "tradingsymbol": "",
        "exchange": "",
        **total,
        "pnl": {"realised": 0, "unrealised": 0},
        "leverage": 0,
        "charges": no_charges(),
    }
    charged = no_charges() | {"total": sum(row["charges"]["total"] for row in rows)}
    return {"initial": both, "final": dict(both), "orders": list(rows), "charges": charged}


def _is_premium(order: OrderRequest, instrument: Instrument) -> bool:
    return bool(instrument.strike) and order.transaction_type == "BUY"
