"""Follow working slices in the broker's book until their end."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from operator import attrgetter

from sqlalchemy.orm import Session

from api_contract.vocabulary import SliceStatus
from pulse_core import brokers, db
from pulse_core.batching import for_each, for_each_batch
from pulse_core.brokers.port import BrokerOrder, BrokerOrderStatus, BrokerTrade
from pulse_core.config import settings
from pulse_core.failpoints import failpoint
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.book import days
from pulse_core.trading.book.reading import Book, read_book
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.slice.fills import settle_slices
from pulse_core.trading.store import alarms, ended_alarms, events, fills, placements, slices
from pulse_core.trading.tables import OrderSlice

# How many news of one order are settled in one transaction, whose locks others may be waiting for.
TOGETHER = 25
MISSING_FOR = timedelta(seconds=30)


@dataclass(frozen=True, order=True)
class BrokerNews:
    """A broker order about which the book shows something new, and the slice it belongs to."""

    order_id: str
    slice_id: str
    broker_order_id: str


class Missing:
    """Since when working broker orders have not been in the book, as this process has seen it."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}
        self._told: set[str] = set()

    def too_long(self, book: Book, working: Collection[str]) -> list[str]:
        """Those of the working broker orders that every reading of the last MISSING_FOR has lacked, but the told."""
        lacking = [one for one in working if one not in book.by_broker_order_id]
        self._since = {one: self._since.get(one, book.started_at) for one in lacking}
        self._told &= self._since.keys()
        return [one for one in lacking if one not in self._told and book.started_at - self._since[one] >= MISSING_FOR]

    def tell(self, broker_order_id: str) -> None:
        """Somebody was told, once for as long as it is missing."""
        self._told.add(broker_order_id)


class Settled:
    """What the readings of this process have shown and settled of each broker order, slices that ended included."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[BrokerOrderStatus, int]] = {}

    def changed(self, book: Book) -> list[str]:
        """The broker orders of the book that stand in another way than they were settled."""
        return [one for one, row in book.by_broker_order_id.items() if self._seen.get(one) != _standing(row)]

    def note(self, book: Book) -> None:
        """The news of this book are booked, as far as its trades cover what its orders say."""
        self._seen = {
            one: _standing(row) for one, row in book.by_broker_order_id.items() if _is_covered(row, book.trades)
        }


def _standing(row: BrokerOrder) -> tuple[BrokerOrderStatus, int]:
    return row.status, row.filled_quantity


def _is_covered(row: BrokerOrder, trades: Mapping[str, Sequence[BrokerTrade]]) -> bool:
    return sum(trade.quantity for trade in trades.get(row.broker_order_id, ())) >= row.filled_quantity


_missing = Missing()
_settled = Settled()


def track_slices(now: datetime) -> int:
    """Read the book once for all working slices and settle what changed; returns how many.

    Slices that ended are settled too when their broker orders change: a late fill is booked before the day and its
    book are over. Raises BookUnavailable; nothing is concluded from a book that cannot be read.
    """
    with db.transaction() as session:
        working = slices.working(session, brokers.connect(settings()).name)
    if not working:
        return 0
    book = read_book(now)
    with db.transaction() as session:
        changed = placements.by_broker_order(session, book.broker, _settled.changed(book))
    settled = settle_news(book, {**changed, **working}, now)
    _settled.note(book)
    _alarm_missing(book, working)
    return settled


def _alarm_missing(book: Book, working: Mapping[str, str]) -> None:
    """An order that the broker acknowledged and does not show: its fills are not seen, so somebody must look."""
    with db.transaction() as session:
        found_again = ended_alarms.missing_orders(session) & book.by_broker_order_id.keys()
        if found_again:
            ended_alarms.resolve_missing(session, found_again, book.ended_at)

    def tell(broker_order_id: str) -> None:
        with db.transaction() as session:
            _tell_missing(session, working[broker_order_id], broker_order_id, book.ended_at)
        _missing.tell(broker_order_id)

    for_each(_missing.too_long(book, working), tell)


def _tell_missing(session: Session, slice_id: str, broker_order_id: str, now: datetime) -> None:
    order, one = slices.lock(session, slice_id)
    is_worked = (one.status, one.broker_order_id) == (SliceStatus.WORKING, broker_order_id)
    if not is_worked or _is_day_over(one, now):
        return
    code = AlarmCode.MISSING_FROM_BOOK
    is_told = events.was_raised(session, one.id, code, broker_order_id=broker_order_id)
    if not is_told or alarms.is_over(session, code, one.id):
        events.alarm(session, code, order.id, one.id, now, broker_order_id=broker_order_id)


def _is_day_over(one: OrderSlice, now: datetime) -> bool:
    """The book of a later day cannot show it; `day_end` sees to it."""
    return one.sent_at is not None and one.sent_at < days.over_before(brokers.connect(settings()), now)


def settle_news(book: Book, ours: Mapping[str, str], now: datetime) -> int:
    """Book what is new about these broker orders (slice ids by broker order id); returns how many.

    The news of one order are settled together, a bounded number at a time: its lock is held for all of them.
    """
    changed = _changed(book, ours)

    def settle(news: Sequence[BrokerNews]) -> None:
        with db.transaction() as session:
            order, parts = slices.lock_together(session, news[0].order_id, {one.slice_id for one in news})
            settle_slices(session, order, [(parts[one.slice_id], one.broker_order_id) for one in news], book, now)
            roll_up(session, order, now)
            failpoint("track.before_commit")
        failpoint("track.after_commit")

    for_each_batch(_by_order(changed), settle)
    return len(changed)


def _by_order(changed: Mapping[str, str]) -> Iterator[Sequence[BrokerNews]]:
    with db.transaction() as session:
        order_of = slices.orders_of(session, set(changed.values()))
    news = [BrokerNews(order_of[slice_id], slice_id, broker_order_id) for broker_order_id, slice_id in changed.items()]
    for _order_id, of_order in groupby(sorted(news), attrgetter("order_id")):
        while batch := list(islice(of_order, TOGETHER)):
            yield batch


def _changed(book: Book, ours: Mapping[str, str]) -> dict[str, str]:
    """Those of our broker orders (slice ids by broker order id) with unbooked trades or a new end."""
    with db.transaction() as session:
        booked = fills.booked(session, book.broker, list(ours))
        unended = placements.unended(session, book.broker, list(ours))

    def is_news(broker_order_id: str) -> bool:
        row = book.by_broker_order_id.get(broker_order_id)
        has_ended = row is not None and row.status is not BrokerOrderStatus.OPEN
        trades = book.trades.get(broker_order_id, ())
        has_unbooked = any((broker_order_id, trade.broker_trade_id) not in booked for trade in trades)
        return has_unbooked or (has_ended and broker_order_id in unended)

    return {broker_order_id: slice_id for broker_order_id, slice_id in ours.items() if is_news(broker_order_id)}
