"""Follow working slices in the broker's book until their end, and book every fill once."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from operator import attrgetter

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.vocabulary import FINAL_SLICES, SliceStatus
from pulse_core import brokers, db
from pulse_core.batching import for_each_batch
from pulse_core.brokers.port import BrokerOrder, BrokerOrderStatus
from pulse_core.config import settings
from pulse_core.events.names import EventKind
from pulse_core.failpoints import failpoint
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.book.reading import Book, read_book
from pulse_core.trading.roll_up import roll_up
from pulse_core.trading.store import events, fills, placements, slices
from pulse_core.trading.store.endings import Ending, end_all
from pulse_core.trading.store.fills import Totals
from pulse_core.trading.tables import Order, OrderSlice
from pulse_core.trading.vocabulary import CancelReason

log = get_logger(__name__)

# How many news of one order are settled in one transaction, whose locks others may be waiting for.
TOGETHER = 25
NOTHING = Totals()
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

    def too_long(self, book: Book, working: Collection[str]) -> list[str]:
        """Those of the working broker orders that every reading of the last MISSING_FOR has lacked."""
        lacking = [one for one in working if one not in book.by_broker_order_id]
        self._since = {one: self._since.get(one, book.started_at) for one in lacking}
        return [one for one in lacking if book.started_at - self._since[one] >= MISSING_FOR]


_missing = Missing()


def track_slices(now: datetime) -> int:
    """Read the book once for all working slices and settle those that changed; returns how many.

    Raises BookUnavailable; nothing is concluded from a book that cannot be read.
    """
    with db.transaction() as session:
        working = slices.working(session, brokers.connect(settings()).name)
    if not working:
        return 0
    book = read_book(now)
    _alarm_missing(book, working)
    return settle_news(book, working, now)


def _alarm_missing(book: Book, working: Mapping[str, str]) -> None:
    """An order that the broker acknowledged and does not show: its fills are not seen, so somebody must look."""
    code = AlarmCode.MISSING_FROM_BOOK
    for broker_order_id in _missing.too_long(book, working):
        with db.transaction() as session:
            order, one = slices.lock(session, working[broker_order_id])
            if not events.was_raised(session, one.id, code, broker_order_id=broker_order_id):
                events.alarm(session, code, order.id, one.id, book.ended_at, broker_order_id=broker_order_id)


def settle_slices(
    session: Session, order: Order, news: Sequence[tuple[OrderSlice, str]], book: Book, now: datetime
) -> None:
    """Book the fills of these broker orders of a locked order's slices, and take over their ends from the book."""
    trades = [(one.id, trade) for one, broker_order_id in news for trade in book.trades.get(broker_order_id, ())]
    added = fills.add(session, book.broker, trades, now)
    totals = fills.totals(session, {one.id for one, _broker_order_id in news})
    changed = {one.id: one for one, _broker_order_id in news if one.id in added}
    _record_fills(session, order, [(one, added[one.id], totals[one.id].filled) for one in changed.values()], now)
    endings = []
    for one, broker_order_id in news:
        row, booked = book.by_broker_order_id.get(broker_order_id), totals.get(one.id, NOTHING)
        if (to := _ending(one, row, booked)) is not None:
            endings.append(_ended(one, to, row, booked))
        elif one.id in added:
            slices.change(session, one.id, now, filled_quantity=booked.filled, average_price=booked.average)
    end_all(session, order.id, endings, now)
    over = [one for slice_, one in news if _is_over(book.by_broker_order_id.get(one), totals.get(slice_.id, NOTHING))]
    placements.end(session, book.broker, over, now)


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


def _record_fills(session: Session, order: Order, filled: Sequence[tuple[OrderSlice, int, int]], now: datetime) -> None:
    """Of each slice, how many shares were added and how many that makes."""
    told = [(one.id, None, {"quantity": added, "filled_quantity": total}) for one, added, total in filled]
    events.add_all(session, EventKind.FILL, order.id, told, now)
    for one, added, total in filled:
        log.info("slice filled", order_id=order.id, slice_id=one.id, quantity=added, filled_quantity=total)
        if one.status in FINAL_SLICES:
            code = AlarmCode.FILL_AFTER_END
            events.alarm(session, code, order.id, one.id, now, status=one.status, quantity=added)
        if total > one.quantity:
            code = AlarmCode.SLICE_OVERFILLED
            events.alarm(session, code, order.id, one.id, now, filled=total, quantity_asked=one.quantity)


def _ending(one: OrderSlice, row: BrokerOrder | None, totals: Totals) -> SliceStatus | None:
    """How the book says that the slice ended."""
    if row is None or one.broker_order_id != row.broker_order_id or one.status is not SliceStatus.WORKING:
        return None
    if not _is_over(row, totals):
        return None
    match row.status:
        case BrokerOrderStatus.OPEN:
            return None
        case BrokerOrderStatus.COMPLETE:
            return SliceStatus.FILLED
        case BrokerOrderStatus.REJECTED:
            return SliceStatus.REJECTED
        case BrokerOrderStatus.CANCELLED:
            is_deadline = one.cancel_reason is CancelReason.DEADLINE
            return SliceStatus.EXPIRED if is_deadline else SliceStatus.CANCELLED


def _is_over(row: BrokerOrder | None, totals: Totals) -> bool:
    """Whether a broker order has ended; the trade book may lag behind, and an end waits for all its fills."""
    if row is None or row.status is BrokerOrderStatus.OPEN:
        return False
    return totals.of_broker_order.get(row.broker_order_id, 0) >= row.filled_quantity


def _ended(one: OrderSlice, to: SliceStatus, row: BrokerOrder | None, booked: Totals) -> Ending:
    code, message = one.error_code, one.error_message
    if row is not None and to is SliceStatus.REJECTED:
        code, message = "BROKER_REJECTED", row.message
    return Ending(one, to, booked.filled, booked.average, code, message)
