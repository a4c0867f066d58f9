"""Rows of the ledger as Kite Connect writes them."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from pulse_ops.paper_exchange.clock import india_text
from pulse_ops.paper_exchange.instruments.listing import token_of

USER_ID = "PAPER1"

Row = sqlite3.Row | Mapping[str, Any]


def order_row(order: Row) -> dict[str, Any]:
    """A row of GET /orders."""
    return {
        "placed_by": USER_ID,
        "order_id": order["order_id"],
        "exchange_order_id": order["order_id"],
        "parent_order_id": None,
        "status": order["status"],
        "status_message": order["status_message"],
        "status_message_raw": order["status_message"],
        "order_timestamp": india_text(order["updated_at"]),
        "exchange_timestamp": india_text(order["updated_at"]),
        "exchange_update_timestamp": india_text(order["updated_at"]),
        "variety": "regular",
        "modified": False,
        "exchange": order["exchange"],
        "tradingsymbol": order["tradingsymbol"],
        "instrument_token": token_of(f"{order['exchange']}:{order['tradingsymbol']}"),
        "order_type": order["order_type"],
        "transaction_type": order["transaction_type"],
        "validity": order["validity"],
        "validity_ttl": 0,
        "product": order["product"],
        "quantity": order["quantity"],
        "disclosed_quantity": 0,
        "price": rupees(order["price"] or 0),
        "trigger_price": 0,
        "average_price": average_price(order),
        "filled_quantity": order["filled_quantity"],
        "pending_quantity": order["quantity"] - order["filled_quantity"] - order["cancelled_quantity"],
        "cancelled_quantity": order["cancelled_quantity"],
        "market_protection": float(order["market_protection"] or 0),
        "meta": {},
        "tag": order["tag"],
        "tags": [order["tag"]] if order["tag"] else [],
        "guid": None,
    }


def change_row(order: sqlite3.Row, change: sqlite3.Row) -> dict[str, Any]:
    """A row of GET /orders/{id}: the order as it was after one change."""
    return order_row(order) | {
        "status": change["status"],
        "status_message": change["status_message"],
        "filled_quantity": change["filled_quantity"],
        "order_timestamp": india_text(change["at"]),
    }


def trade_row(trade: Row) -> dict[str, Any]:
    """A row of GET /trades; the row of the ledger is joined with its order's."""
    return {
        "trade_id": trade["trade_id"],
        "order_id": trade["order_id"],
        "exchange_order_id": trade["order_id"],
        "exchange": trade["exchange"],
        "tradingsymbol": trade["tradingsymbol"],
        "instrument_token": token_of(f"{trade['exchange']}:{trade['tradingsymbol']}"),
        "transaction_type": trade["transaction_type"],
        "product": trade["product"],
        "average_price": rupees(trade["price"]),
        "quantity": trade["quantity"],
        "fill_timestamp": india_text(trade["traded_at"]),
        "exchange_timestamp": india_text(trade["traded_at"]),
        "order_timestamp": india_text(trade["traded_at"])[11:],
    }


def average_price(order: Row) -> float:
    """Rupees for each filled share, to four places, 0 while there is none."""
    filled: int = order["filled_quantity"]
    return round(int(order["filled_value"]) / filled / 100, 4) if filled else 0


def rupees(paise: int) -> float:
    """A price as the wire has it."""
    return paise / 100
