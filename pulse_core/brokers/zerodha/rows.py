"""Rows of Kite's order and trade book, read strictly: a row in doubt raises, for a wrong book proves a wrong absence.

Only what somebody else placed stops nothing. Errors are ValueError, KeyError and TypeError; the broker turns each into
BookUnavailable.
"""

import re
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pulse_core.brokers.port import BrokerOrder, BrokerOrderStatus, BrokerTrade, looks_ours, unreadable_order
from pulse_core.brokers.zerodha.refusals import scope_of

INDIA = timezone(timedelta(hours=5, minutes=30))

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_FINAL = {
    "COMPLETE": BrokerOrderStatus.COMPLETE,
    "CANCELLED": BrokerOrderStatus.CANCELLED,
    "REJECTED": BrokerOrderStatus.REJECTED,
}


def book_orders(found: Sequence[Mapping[str, Any]]) -> list[BrokerOrder]:
    """The rows of GET /orders. Raises for one of ours, and for one that does not say whose it is."""
    return [one for one in map(_order_or_presence, found) if one is not None]


def book_trades(found: Sequence[Mapping[str, Any]], ours: Container[str] | None) -> list[BrokerTrade]:
    """The rows of GET /trades, without those in doubt of orders that are not `ours`."""
    return [one for one in (_trade_unless_others(row, ours) for row in found) if one is not None]


def broker_order(row: Mapping[str, Any]) -> BrokerOrder:
    """One row of GET /orders."""
    return _order(
        row["order_id"],
        row["tag"],
        row["status"],
        row["quantity"],
        row["filled_quantity"],
        row["average_price"],
        row.get("status_message"),
    )


def broker_trade(row: Mapping[str, Any]) -> BrokerTrade:
    """One row of GET /trades."""
    return _trade(row["trade_id"], row["order_id"], row["quantity"], row["average_price"], row["fill_timestamp"])


# Nearly every row of a long book is as it was a second ago, and reading it strictly takes longer than finding what was
# made of it then. What raised is not kept, and a value of another type is another: `10.0` is no quantity.
@lru_cache(maxsize=20_000, typed=True)
def _order(
    order_id: object,
    tag: object,
    status: object,
    quantity: object,
    filled_quantity: object,
    average_price: object,
    message: object,
) -> BrokerOrder:
    known = _FINAL.get(_text(status), BrokerOrderStatus.OPEN)
    said = storable(_optional_text(message) or "") or None
    return BrokerOrder(
        broker_order_id=_text(order_id),
        client_order_id=_optional_text(tag),
        status=known,
        quantity=count(quantity),
        filled_quantity=count(filled_quantity),
        average_price=price(average_price) or None,
        message=said,
        refused_for=scope_of(said or "") if known is BrokerOrderStatus.REJECTED else None,
    )


@lru_cache(maxsize=20_000, typed=True)
def _trade(
    trade_id: object, order_id: object, quantity: object, average_price: object, fill_timestamp: object
) -> BrokerTrade:
    return BrokerTrade(
        broker_trade_id=_text(trade_id),
        broker_order_id=_text(order_id),
        quantity=count(quantity),
        price=price(average_price),
        traded_at=instant(fill_timestamp),
    )


def _order_or_presence(row: Mapping[str, Any]) -> BrokerOrder | None:
    try:
        return broker_order(row)
    except (KeyError, TypeError, ValueError):
        tag = row["tag"]
        is_others = tag is None or (isinstance(tag, str) and not looks_ours(tag))
        if not is_others:
            raise
        order_id = row.get("order_id")
        return unreadable_order(order_id) if isinstance(order_id, str) and order_id else None


def _trade_unless_others(row: Mapping[str, Any], ours: Container[str] | None) -> BrokerTrade | None:
    try:
        return broker_trade(row)
    except (KeyError, TypeError, ValueError):
        order_id = row["order_id"]
        if ours is None or not isinstance(order_id, str) or not order_id or order_id in ours:
            raise
        return None


def storable(words: str) -> str:
    """The broker's words without what Postgres cannot hold: they must never keep an outcome from being recorded."""
    return _UNSTORABLE.sub("?", words)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text is missing")
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None or value == "" else _text(value)


def count(value: object) -> int:
    """A quantity."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("a quantity is not a whole number")
    return value


def price(value: object) -> Decimal:
    """A price per unit."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("a price is not a number")
    stated = Decimal(str(value))
    if not stated.is_finite() or stated < 0:
        raise ValueError("a price is not a price")
    return stated


def instant(value: object) -> datetime:
    """An instant in UTC, from India's time without a zone."""
    return datetime.strptime(_text(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=INDIA).astimezone(UTC)
