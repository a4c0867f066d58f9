"""Rows of Kite's order and trade book, read strictly: a row in doubt raises, for a wrong book proves a wrong absence.

Errors are ValueError, KeyError and TypeError; the broker turns each into BookUnavailable.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

from pulse_core.brokers.port import BrokerOrder, BrokerOrderStatus, BrokerTrade

INDIA = timezone(timedelta(hours=5, minutes=30))

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_FINAL = {
    "COMPLETE": BrokerOrderStatus.COMPLETE,
    "CANCELLED": BrokerOrderStatus.CANCELLED,
    "REJECTED": BrokerOrderStatus.REJECTED,
}


def broker_order(row: Mapping[str, Any]) -> BrokerOrder:
    """One row of GET /orders."""
    return BrokerOrder(
        broker_order_id=_text(row["order_id"]),
        client_order_id=_optional_text(row["tag"]),
        status=_FINAL.get(_text(row["status"]), BrokerOrderStatus.OPEN),
        quantity=_count(row["quantity"]),
        filled_quantity=_count(row["filled_quantity"]),
        average_price=_price(row["average_price"]) or None,
        message=storable(_optional_text(row.get("status_message")) or "") or None,
    )


def broker_trade(row: Mapping[str, Any]) -> BrokerTrade:
    """One row of GET /trades."""
    return BrokerTrade(
        broker_trade_id=_text(row["trade_id"]),
        broker_order_id=_text(row["order_id"]),
        quantity=_count(row["quantity"]),
        price=_price(row["average_price"]),
        traded_at=_instant(row["fill_timestamp"]),
    )


def day_of(at: datetime, starts: time) -> date:
    """The day in India whose books hold this instant; a day begins at `starts` by India's clock."""
    since_midnight = timedelta(hours=starts.hour, minutes=starts.minute, seconds=starts.second)
    return (at.astimezone(INDIA) - since_midnight).date()


def storable(words: str) -> str:
    """The broker's words without what Postgres cannot hold: they must never keep an outcome from being recorded."""
    return _UNSTORABLE.sub("?", words)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text is missing")
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None or value == "" else _text(value)


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("a quantity is not a whole number")
    return value


def _price(value: object) -> Decimal:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("a price is not a number")
    price = Decimal(str(value))
    if not price.is_finite() or price < 0:
        raise ValueError("a price is not a price")
    return price


def _instant(value: object) -> datetime:
    return datetime.strptime(_text(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=INDIA).astimezone(UTC)
