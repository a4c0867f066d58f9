"""The books of an account that is not ours: well-formed rows, of which none is known."""

from typing import Any

from pulse_ops.paper_exchange import wire

# No ledger of ours has this number: ours are seconds of a day.
_LEDGER_ID = "99999"
# One is shaped like a tag of ours, so that the shape alone proves nothing.
_TAGS = (None, "mobile", "ZZZZZZZZZZZZZZZZZZZ1")
_QUANTITY, _PRICE = 25, 155_000


def orders(day: str, at: int) -> list[dict[str, Any]]:
    """Rows of GET /orders."""
    return [wire.order_row(_order(day, at, number, tag)) for number, tag in enumerate(_TAGS, start=1)]


def trades(day: str, at: int) -> list[dict[str, Any]]:
    """Rows of GET /trades."""
    return [
        wire.trade_row(_order(day, at, number, tag) | {"trade_id": _id(day, 10 + number), "traded_at": at})
        for number, tag in enumerate(_TAGS, start=1)
    ]


def _order(day: str, at: int, number: int, tag: str | None) -> dict[str, Any]:
    return {
        "order_id": _id(day, number),
        "tag": tag,
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "quantity": _QUANTITY,
        "product": "CNC",
        "order_type": "LIMIT",
        "validity": "DAY",
        "price": _PRICE,
        "market_protection": None,
        "status": "COMPLETE",
        "status_message": None,
        "filled_quantity": _QUANTITY,
        "filled_value": _QUANTITY * _PRICE,
        "cancelled_quantity": 0,
        "updated_at": at,
        "variety": "regular",
        "trigger_price": None,
        "validity_ttl": None,
        "disclosed_quantity": 0,
        "modifications": 0,
        "limit_price": _PRICE,
    }


def _id(day: str, number: int) -> str:
    return f"{day.replace('-', '')[2:]}{_LEDGER_ID}{number:08d}"
