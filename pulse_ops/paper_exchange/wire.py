"""Rows of the ledger as Kite Connect writes them."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulse_ops.paper_exchange.clock import india_text
from pulse_ops.paper_exchange.instruments.listing import token_of

USER_ID = "PAPER1"
# Through these an order goes before it stands anywhere. They are told, and not kept: every order has them.
_BEFORE_OPEN = ("PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING")
_BEFORE_REFUSAL = _BEFORE_OPEN[:2]

Row = sqlite3.Row | Mapping[str, Any]


def order_row(order: Row) -> dict[str, Any]:
    """A row of GET /orders."""
    limit = order["limit_price"]
    # A protected market order whose rest stands open has become a limit order.
    is_rest = limit is not None and order["order_type"] in ("MARKET", "SL-M")
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
        "variety": order["variety"],
        "modified": order["modifications"] > 0,
        "exchange": order["exchange"],
        "tradingsymbol": order["tradingsymbol"],
        "instrument_token": token_of(f"{order['exchange']}:{order['tradingsymbol']}"),
        "order_type": "LIMIT" if is_rest else order["order_type"],
        "transaction_type": order["transaction_type"],
        "validity": order["validity"],
        "validity_ttl": order["validity_ttl"] or 0,
        "product": order["product"],
        "quantity": order["quantity"],
        "disclosed_quantity": order["disclosed_quantity"],
        "price": rupees((limit if is_rest else order["price"]) or 0),
        "trigger_price": rupees(order["trigger_price"] or 0),
        "average_price": average_price(order["filled_quantity"], order["filled_value"]),
        "filled_quantity": order["filled_quantity"],
        "pending_quantity": order["quantity"] - order["filled_quantity"] - order["cancelled_quantity"],
        "cancelled_quantity": order["cancelled_quantity"],
        "market_protection": float(order["market_protection"] or 0),
        "meta": {},
        "tag": order["tag"],
        "tags": [order["tag"]] if order["tag"] else [],
        "guid": None,
    }


def history(order: sqlite3.Row, changes: Sequence[sqlite3.Row], trades: Sequence[sqlite3.Row]) -> list[dict[str, Any]]:
    """Rows of GET /orders/{id}: the order as each change left it, after the states that all go through."""
    return [*_states_before(order, changes), *(_change_row(order, change, trades) for change in changes)]


def _states_before(order: sqlite3.Row, changes: Sequence[sqlite3.Row]) -> Iterator[dict[str, Any]]:
    is_refused = order["status"] == "REJECTED" and len(changes) <= 2
    if not changes or order["variety"] == "amo":
        return
    for status in _BEFORE_REFUSAL if is_refused else _BEFORE_OPEN:
        if status != changes[0]["status"]:
            yield _as_it_was(order, status, changes[0]["at"]) | {"exchange_order_id": None, "exchange_timestamp": None}


def _change_row(order: sqlite3.Row, change: sqlite3.Row, trades: Sequence[sqlite3.Row]) -> dict[str, Any]:
    filled, value, left = change["filled_quantity"], 0, change["filled_quantity"]
    for trade in trades:
        taken = min(trade["quantity"], left)
        value, left = value + taken * trade["price"], left - taken
    cancelled = order["quantity"] - filled if change["status"] == "CANCELLED" else 0
    return _as_it_was(order, change["status"], change["at"]) | {
        "status_message": change["status_message"],
        "status_message_raw": change["status_message"],
        "filled_quantity": filled,
        "average_price": average_price(filled, value),
        "cancelled_quantity": cancelled,
        "pending_quantity": order["quantity"] - filled - cancelled,
    }


def _as_it_was(order: sqlite3.Row, status: str, at: int) -> dict[str, Any]:
    return order_row(order) | {
        "status": status,
        "status_message": None,
        "status_message_raw": None,
        "order_timestamp": india_text(at),
        "filled_quantity": 0,
        "average_price": 0,
        "cancelled_quantity": 0,
        "pending_quantity": order["quantity"],
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


def average_price(filled: int, value: int) -> float:
    """Rupees for each filled share, to four places, 0 while there is none."""
    return round(value / filled / 100, 4) if filled else 0


def rupees(paise: int) -> float:
    """A price as the wire has it."""
    return paise / 100
