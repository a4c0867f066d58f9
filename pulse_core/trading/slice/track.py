"""Follow working slices at the broker until their end, in its book or one by one."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.troubles import troubles
from api_contract.vocabulary import SliceStatus
from pulse_core import brokers, db
from pulse_core.batching import for_each
from pulse_core.brokers.port import BookUnavailable, Broker, BrokerOrder, BrokerOrderStatus, BrokerTrade
from pulse_core.tasks import Task
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.book import days, look_ups, pace
from pulse_core.trading.book.reading import Book, begin_delays_anew, read_book
from pulse_core.trading.book.turns import Turn, turn
from pulse_core.trading.slice.news import find_news, settle_news
from pulse_core.trading.slice.resolve import resolving
from pulse_core.trading.store import alarms, at_broker, ended_alarms, events, placements, slices
from pulse_core.trading.tables import OrderSlice

log = get_logger(__name__)

MISSING_FOR = timedelta(seconds=30)


class Missing:
    """Since when working broker orders have not been in the book, as this process has seen it."""

    def __init__(self) -> None:
        self._since: dict[str, dict[str, datetime]] = {}
        self._told: dict[str, set[str]] = {}

    def too_long(self, book: Book, working: Collection[str]) -> list[str]:
        """Those of the working broker orders that every reading of the last MISSING_FOR has lacked, but the told."""
        account, lacking = book.broker_account, [one for one in working if one not in book.by_broker_order_id]
        before = self._since.get(account, {})
        since = self._since[account] = {one: before.get(one, book.started_at) for one in lacking}
        told = self._told[account] = self._told.get(account, set()) & since.keys()
        return [one for one in lacking if one not in told and book.started_at - since[one] >= MISSING_FOR]

    def any_of(self, broker_account: str, working: Collection[str]) -> bool:
        """Whether the last reading lacked one of the working broker orders."""
        return not self._since.get(broker_account, {}).keys().isdisjoint(working)

    def tell(self, broker_account: str, broker_order_id: str) -> None:
        """Somebody was told, once for as long as it is missing."""
        self._told.setdefault(broker_account, set()).add(broker_order_id)


class Settled:
    """What the readings of this process have shown and settled of each broker order, slices that ended included."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, tuple[BrokerOrderStatus, int]]] = {}

    def changed(self, book: Book) -> list[str]:
        """The broker orders of the book that stand in another way than they were settled."""
        seen = self._seen.get(book.broker_account, {})
        return [one for one, row in book.by_broker_order_id.items() if seen.get(one) != _standing(row)]

    def note(self, book: Book) -> None:
        """The news of this book are booked, as far as its trades cover what its orders say."""
        self._seen[book.broker_account] = {
            one: _standing(row) for one, row in book.by_broker_order_id.items() if _is_covered(row, book.trades)
        }


def _standing(row: BrokerOrder) -> tuple[BrokerOrderStatus, int]:
    return row.status, row.filled_quantity


def _is_covered(row: BrokerOrder, trades: Mapping[str, Sequence[BrokerTrade]]) -> bool:
    return sum(trade.quantity for trade in trades.get(row.broker_order_id, ())) >= row.filled_quantity


_missing = Missing()
_settled = Settled()


def track_slices(now: datetime) -> int:
    """Follow the working slices of every account that can be reached; returns how much there was to settle.

    Raises BookUnavailable when one of the books cannot be read; nothing is concluded from it.
    """
    with db.transaction() as session:
        working = at_broker.working(session)
    return brokers.for_each_account(
        Task.TRACK_SLICES,
        lambda broker: _track(broker, working.get(broker.name, {}), now, among=len(working)),
        lambda broker: broker.name in working or days.is_closing(broker, now),
    )


def _track(broker: Broker, working: Mapping[str, str], now: datetime, among: int) -> int:
    """Read the book once for all working slices, when it is our turn, and settle what changed; returns how much.

    Slices that ended are settled too when the book shows another state of their broker orders: a late fill is booked
    before the day and its book are over. A few working slices are looked up one by one where the book is long. While
    postbacks tell of everything, and nothing is missing or in doubt, the book is read more seldom; before its day
    ends it is read whatever works. What is in doubt is resolved by the same reading.
    """
    with db.transaction() as session:
        is_closing = _is_closing(session, broker, now)
        is_read = is_closing or _missing.any_of(broker.name, working)
        is_looked_up = not is_read and look_ups.may_look_up(session, broker, working.keys(), now)
        if not is_looked_up and not is_read and _may_wait(session, broker, now):
            return 0
    due = look_ups.looks.of(broker).due(working) if is_looked_up else ()
    if not (working or is_closing) or (is_looked_up and not due):
        return 0
    with turn(broker.name, max(among, 1), is_whole=not is_looked_up) as ours:
        if ours is None:
            return 0
        return _look_up(broker, due, ours, working, now) if is_looked_up else _read(broker, ours, working, now)


def _is_closing(session: Session, broker: Broker, now: datetime) -> bool:
    """A late fill of what was placed today is booked now or, by the book, never."""
    return days.is_closing(broker, now) and placements.any_since(session, broker.name, broker.covers_since(now))


def _may_wait(session: Session, broker: Broker, now: datetime) -> bool:
    return not pace.paces.of(broker).is_due and look_ups.is_without_doubt(session, broker, now)


def _read(broker: Broker, ours: Turn, working: Mapping[str, str], now: datetime) -> int:
    hinted = pace.paces.of(broker).begin()
    resolve_by = resolving(broker, now)
    book = read_book(broker, now)
    news = find_news(book, {*working, *_settled.changed(book)})
    settle_news(book, news, now, before_each=ours.keep)
    pace.paces.of(broker).note(hinted, [one.broker_order_id for one in news])
    _settled.note(book)
    _alarm_missing(broker, book, working)
    resolve_by(book)
    return len(news)


def _look_up(broker: Broker, due: Sequence[str], ours: Turn, working: Mapping[str, str], now: datetime) -> int:
    ours.spacing = len(due) * look_ups.SPACING
    hinted = pace.paces.of(broker).begin(due)
    try:
        shown = look_ups.look_up(broker, due)
    except BookUnavailable as error:
        # Of an absence it tells nothing: the book does. But the broker may be away, or not show what it has.
        troubles.warn(log, str(error), "an order could not be looked up", reason=str(error))
        begin_delays_anew(broker.name, now)
        look_ups.looks.of(broker).fail()
        return _read(broker, ours, working, now)
    news = find_news(shown, due)
    settle_news(shown, news, now, before_each=ours.keep)
    telling = {one.broker_order_id for one in news}
    for one in due:
        look_ups.looks.of(broker).note(one, is_news=one in telling)
    pace.paces.of(broker).note(hinted, telling)
    return len(news)


def _alarm_missing(broker: Broker, book: Book, working: Mapping[str, str]) -> None:
    """An order that the broker acknowledged and does not show: its fills are not seen, so somebody must look."""
    with db.transaction() as session:
        found_again = ended_alarms.missing_orders(session) & book.by_broker_order_id.keys()
        if found_again:
            ended_alarms.resolve_missing(session, found_again, book.ended_at)

    def tell(broker_order_id: str) -> None:
        with db.transaction() as session:
            _tell_missing(session, broker, working[broker_order_id], broker_order_id, book.ended_at)
        _missing.tell(broker.name, broker_order_id)

    for_each(_missing.too_long(book, working), tell)


def _tell_missing(session: Session, broker: Broker, slice_id: str, broker_order_id: str, now: datetime) -> None:
    order, one = slices.lock(session, slice_id)
    is_worked = (one.status, one.broker_order_id) == (SliceStatus.WORKING, broker_order_id)
    if not is_worked or _is_day_over(broker, one, now):
        return
    code = AlarmCode.MISSING_FROM_BOOK
    is_told = events.was_raised(session, one.id, code, broker_order_id=broker_order_id)
    if not is_told or alarms.is_over(session, code, one.id):
        events.alarm(session, code, order.id, one.id, now, broker_order_id=broker_order_id)


def _is_day_over(broker: Broker, one: OrderSlice, now: datetime) -> bool:
    """The book of a later day cannot show it; `day_end` sees to it."""
    return one.sent_at is not None and one.sent_at < days.over_before(broker, now)
