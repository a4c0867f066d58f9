"""Alpaca's orders and fills, read strictly: a row of ours in doubt raises, for a wrong book proves a wrong absence.

Errors are ValueError, KeyError and TypeError; the broker turns each into BookUnavailable.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pulse_core.brokers.port import BrokerOrder, BrokerOrderStatus, BrokerTrade, looks_ours, unreadable_order

# Every other status is an interim one. What was replaced has ended; the order in its place has an id of its own.
_FINAL = {
    "filled": BrokerOrderStatus.COMPLETE,
    "canceled": BrokerOrderStatus.CANCELLED,
    "replaced": BrokerOrderStatus.CANCELLED,
    "expired": BrokerOrderStatus.EXPIRED,
    "rejected": BrokerOrderStatus.REJECTED,
}


def broker_order(row: Mapping[str, Any]) -> BrokerOrder:
    """An order, wherever it stands in an answer."""
    return BrokerOrder(
        broker_order_id=_text(row["id"]),
        client_order_id=_text(row["client_order_id"]),
        status=_FINAL.get(_text(row["status"]), BrokerOrderStatus.OPEN),
        quantity=_count(row["qty"]),
        filled_quantity=_count(row["filled_qty"]),
        average_price=None if row["filled_avg_price"] is None else _price(row["filled_avg_price"]),
        message=None,
    )


def broker_trade(row: Mapping[str, Any]) -> BrokerTrade:
    """An activity of the kind FILL."""
    return BrokerTrade(
        broker_trade_id=_text(row["id"]),
        broker_order_id=_text(row["order_id"]),
        quantity=_count(row["qty"]),
        price=_price(row["price"]),
        traded_at=instant(row["transaction_time"]),
    )


def book_orders(page: Sequence[Mapping[str, Any]]) -> list[BrokerOrder]:
    """The orders of a page. Raises for one of ours, and for one that does not say whose it is."""
    return [_order_or_presence(row) for row in page]


def book_trades(found: Sequence[Mapping[str, Any]], ours: Container[str] | None) -> list[BrokerTrade]:
    """Fills, without those in doubt of orders that are not `ours`."""
    return [one for one in (_trade_unless_others(row, ours) for row in found) if one is not None]


def submitted_at(row: Mapping[str, Any]) -> datetime:
    """When an order was submitted."""
    return instant(row["submitted_at"])


def activity_id(row: Mapping[str, Any]) -> str:
    """The id of an activity, which the page after it is asked for by."""
    return _text(row["id"])


def instant(value: object) -> datetime:
    """An instant in UTC, to the microsecond."""
    return datetime.fromisoformat(_text(value)).astimezone(UTC)


def _order_or_presence(row: Mapping[str, Any]) -> BrokerOrder:
    # Others order parts of shares, and for sums of money.
    try:
        return broker_order(row)
    except (KeyError, TypeError, ValueError, InvalidOperation):
        client_order_id = row["client_order_id"]
        if not isinstance(client_order_id, str) or looks_ours(client_order_id):
            raise
        return unreadable_order(_text(row["id"]))


def _trade_unless_others(row: Mapping[str, Any], ours: Container[str] | None) -> BrokerTrade | None:
    try:
        return broker_trade(row)
    except (KeyError, TypeError, ValueError, InvalidOperation):
        if ours is None or _text(row["order_id"]) in ours:
            raise
        return None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > 64:
        raise ValueError("a text is missing or too long")
    return value


def _count(value: object) -> int:
    number = _number(value)
    if number != number.to_integral_value():
        raise ValueError("a quantity is not a whole number")
    return int(number)


def _price(value: object) -> Decimal:
    return _number(value)


def _number(value: object) -> Decimal:
    # Numbers are texts.
    number = Decimal(_text(value))
    if not number.is_finite() or number < 0:
        raise ValueError("a number is no quantity or price")
    return number
