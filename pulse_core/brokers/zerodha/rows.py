"""Rows of Kite's order and trade book, read strictly: a row in doubt raises, for a wrong book proves a wrong absence.

Only what somebody else placed stops nothing. Errors are ValueError and TypeError; the broker turns each into
BookUnavailable.
"""

import re
from collections.abc import Callable, Container, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from msgspec import UNSET

from pulse_core.brokers.port import BrokerOrder, BrokerOrderStatus, BrokerTrade, looks_ours, unreadable_order
from pulse_core.brokers.zerodha.refusals import scope_of

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

INDIA = timezone(timedelta(hours=5, minutes=30))

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_FINAL = {
    "COMPLETE": BrokerOrderStatus.COMPLETE,
    "CANCELLED": BrokerOrderStatus.CANCELLED,
    "REJECTED": BrokerOrderStatus.REJECTED,
}


# What is kept of an account's rows: so many times as many as its book has, and a few more.
KEPT = 2
FEW = 1000


class OrderRow(msgspec.Struct, gc=False):
    """What is read of a row of GET /orders. Whatever else there is in it is passed over, whatever it is."""

    order_id: Any = UNSET
    tag: Any = UNSET
    status: Any = UNSET
    quantity: Any = UNSET
    filled_quantity: Any = UNSET
    average_price: Any = UNSET
    status_message: Any = None


class TradeRow(msgspec.Struct, gc=False):
    """The same of a row of GET /trades."""

    trade_id: Any = UNSET
    order_id: Any = UNSET
    quantity: Any = UNSET
    average_price: Any = UNSET
    fill_timestamp: Any = UNSET


Row = TypeVar("Row", OrderRow, TradeRow)
Read = TypeVar("Read", BrokerOrder, BrokerTrade)


class _Answer(msgspec.Struct, Generic[Row]):
    data: list[Row]
    status: Any = None
    error_type: Any = None
    message: Any = None


@cache
def decoder(kind: type[Row]) -> Callable[[bytes], object]:
    """Reads an answer of such rows, and of each no more than is needed, which takes a sixth of the time.

    Raises ValueError for what is no such answer.
    """
    read = msgspec.json.Decoder(_Answer[kind])  # type: ignore[valid-type]
    return lambda body: msgspec.structs.asdict(read.decode(body))


def rows_of(kind: type[Row], found: object) -> Sequence[Row]:
    """The rows of an answer, however it was read. Raises ValueError."""
    return msgspec.convert(found, list[kind])  # type: ignore[valid-type]


class BookRows:
    """Reads the rows of an account's books, again and again.

    Nearly every row of a long book is as it was a second ago, and reading it strictly takes longer than finding what
    was made of it then. What raised is not kept, and a value of another type is another: `10.0` is no quantity.
    """

    def __init__(self) -> None:
        self._order = lru_cache(maxsize=None, typed=True)(_order)
        self._trade = lru_cache(maxsize=None, typed=True)(_trade)

    def orders(self, found: Sequence[OrderRow]) -> list[BrokerOrder]:
        """The rows of GET /orders. Raises for one of ours, and for one that does not say whose it is."""
        _forget_old(self._order, len(found))
        return [one for one in map(self._order_or_presence, found) if one is not None]

    def trades(self, found: Sequence[TradeRow], ours: Container[str] | None) -> list[BrokerTrade]:
        """The rows of GET /trades, without those in doubt of orders that are not `ours`."""
        _forget_old(self._trade, len(found))
        return [one for one in (self._trade_unless_others(row, ours) for row in found) if one is not None]

    def _order_or_presence(self, row: OrderRow) -> BrokerOrder | None:
        try:
            return self._order(*_values(row))
        except (TypeError, ValueError):
            is_others = row.tag is None or (isinstance(row.tag, str) and not looks_ours(row.tag))
            if not is_others:
                raise
            return unreadable_order(row.order_id) if isinstance(row.order_id, str) and row.order_id else None

    def _trade_unless_others(self, row: TradeRow, ours: Container[str] | None) -> BrokerTrade | None:
        try:
            return self._trade(*_values(row))
        except (TypeError, ValueError):
            if ours is None or not isinstance(row.order_id, str) or not row.order_id or row.order_id in ours:
                raise
            return None


def broker_order(row: OrderRow) -> BrokerOrder:
    """One row by itself."""
    return _order(*_values(row))


def broker_trade(row: TradeRow) -> BrokerTrade:
    """The same of a trade."""
    return _trade(*_values(row))


def _values(row: OrderRow | TradeRow) -> tuple[Any, ...]:
    return msgspec.structs.astuple(row)


def _forget_old(known: "_lru_cache_wrapper[Read]", rows: int) -> None:
    """However often its rows change, no more is kept of a book than its length allows."""
    if known.cache_info().currsize > KEPT * rows + FEW:
        known.cache_clear()


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
