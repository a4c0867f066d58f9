"""Rows of the ledger as Alpaca writes them: numbers are texts, instants are in UTC."""

import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pulse_ops.paper_exchange.clock import utc
from pulse_ops.paper_exchange.store import DAY_ENDED

Row = sqlite3.Row | Mapping[str, Any]

_STATUSES = {"COMPLETE": "filled", "REJECTED": "rejected", "OPEN PENDING": "pending_new"}


def order_row(order: Row) -> dict[str, Any]:
    """An order."""
    status, updated = status_of(order), instant(order["updated_at"])
    return {
        "id": order["order_id"],
        "client_order_id": order["tag"],
        "created_at": instant(order["placed_at"]),
        "updated_at": updated,
        "submitted_at": instant(order["placed_at"]),
        "filled_at": updated if status == "filled" else None,
        "expired_at": updated if status == "expired" else None,
        "canceled_at": updated if status == "canceled" else None,
        "failed_at": updated if status == "rejected" else None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_class": "us_equity",
        "symbol": order["tradingsymbol"],
        "notional": None,
        "qty": str(order["quantity"]),
        "filled_qty": str(order["filled_quantity"]),
        "filled_avg_price": _average(order),
        "order_class": "",
        "order_type": order["order_type"].lower(),
        "type": order["order_type"].lower(),
        "side": order["transaction_type"].lower(),
        "time_in_force": "day",
        "limit_price": None if order["price"] is None else dollars(order["price"]),
        "stop_price": None,
        "status": status,
        "extended_hours": False,
        "legs": None,
    }


def fill_row(trade: Row) -> dict[str, Any]:
    """A fill; the row of the ledger is joined with its order's."""
    return {
        "activity_type": "FILL",
        "id": fill_id(trade),
        "order_id": trade["order_id"],
        "transaction_time": instant(trade["traded_at"]),
        "type": "fill" if trade["filled_quantity"] >= trade["order_quantity"] else "partial_fill",
        "price": dollars(trade["price"]),
        "qty": str(trade["quantity"]),
        "side": trade["transaction_type"].lower(),
        "symbol": trade["tradingsymbol"],
    }


def fill_id(trade: Row) -> str:
    """An id that sorts by its instant; the number of the trade is its end."""
    return f"{utc(trade['traded_at']):%Y%m%d%H%M%S%f}"[:17] + f"::{trade['trade_id']}"


def status_of(order: Row) -> str:
    """The status of an order; one that ended with its day has expired."""
    status = order["status"]
    if status == "CANCELLED":
        return "expired" if order["status_message"] == DAY_ENDED else "canceled"
    if status in _STATUSES:
        return _STATUSES[status]
    return "partially_filled" if order["filled_quantity"] else "new"


def instant(us: int) -> str:
    """An instant as it is written."""
    return utc(us).isoformat(timespec="microseconds").replace("+00:00", "Z")


def dollars(cents: int) -> str:
    """A price as it is written."""
    return f"{Decimal(cents) / 100:.2f}"


def _average(order: Row) -> str | None:
    filled: int = order["filled_quantity"]
    return f"{Decimal(int(order['filled_value'])) / filled / 100:.6f}" if filled else None
