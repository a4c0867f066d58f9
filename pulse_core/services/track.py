"""Follow working slices in the broker's book until their end, and book every fill once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from pulse_core import brokers, db
from pulse_core.brokers.base import Broker, BrokerOrder, BrokerOrderStatus, BrokerTrade
from pulse_core.config import settings
from pulse_core.domain.enums import CancelReason, EventKind, SliceStatus
from pulse_core.domain.status import FINAL_SLICES
from pulse_core.failpoints import failpoint
from pulse_core.log import get_logger
from pulse_core.models import Order, OrderSlice
from pulse_core.repositories import events, fills, slices
from pulse_core.services.each import for_each
from pulse_core.services.settle import settle_order

log = get_logger(__name__)


@dataclass(frozen=True)
class Book:
    """One reading of the broker's book of today, its rows found by id; `doubles` share another's client order id."""

    broker: str
    by_broker_order_id: Mapping[str, BrokerOrder]
    by_client_order_id: Mapping[str, BrokerOrder]
    doubles: Sequence[BrokerOrder]
    trades: Mapping[str, Sequence[BrokerTrade]]

    @classmethod
    def read(cls, broker: Broker) -> "Book":
        """Orders first, then trades, so that the trades cover what the orders say. Raises BookUnavailable."""
        orders = broker.order_book()
        trades: dict[str, list[BrokerTrade]] = {}
        for trade in broker.trade_book():
            trades.setdefault(trade.broker_order_id, []).append(trade)
        by_client_order_id: dict[str, BrokerOrder] = {}
        doubles = [
            row
            for row in orders
            if row.client_order_id and by_client_order_id.setdefault(row.client_order_id, row) is not row
        ]
        by_broker_order_id = {row.broker_order_id: row for row in orders}
        return cls(broker.name, by_broker_order_id, by_client_order_id, doubles, trades)


def track_slices(now: datetime) -> int:
    """Read the book once for all working slices and settle those that changed; returns how many.

    Raises BookUnavailable; nothing is concluded from a book that cannot be read.
    """
    with db.transaction() as session:
        working = slices.working(session)
    if not working:
        return 0
    book = Book.read(brokers.connect(settings()))
    ours = {one.broker_order_id: one.id for one in working if one.broker_order_id}
    return settle_news(book, ours, now)


def settle_slice(
    session: Session, order: Order, one: OrderSlice, book: Book, broker_order_id: str, now: datetime
) -> None:
    """Book the fills of one broker order of a locked slice, and take over its end from the book."""
    added = fills.add(session, one.id, book.broker, book.trades.get(broker_order_id, ()), now)
    if added:
        _book_fills(session, order, one, added, now)
    row = book.by_broker_order_id.get(broker_order_id)
    is_current = one.broker_order_id == broker_order_id and one.status is SliceStatus.WORKING
    if row is None or not is_current or not _is_all_booked(session, book.broker, row):
        return
    ending = _ending(one, row)
    if ending is not None:
        error = (
            {"error_code": "BROKER_REJECTED", "error_message": row.message} if ending is SliceStatus.REJECTED else {}
        )
        slices.move(session, one, ending, now, **error)


def settle_news(book: Book, ours: Mapping[str, str], now: datetime) -> int:
    """Settle what the book says anew of these broker orders (slice ids by broker order id); returns how many."""
    changed = _changed(book, ours)

    def settle(news: tuple[str, str]) -> None:
        broker_order_id, slice_id = news
        with db.transaction() as session:
            order, one = slices.lock(session, slice_id)
            settle_slice(session, order, one, book, broker_order_id, now)
            settle_order(session, order, now)
            failpoint("track.before_commit")
        failpoint("track.after_commit")

    for_each(changed.items(), settle)
    return len(changed)


def _changed(book: Book, ours: Mapping[str, str]) -> dict[str, str]:
    """Those of our broker orders (slice ids by broker order id) with unbooked trades or an end that is news."""
    with db.transaction() as session:
        booked = fills.booked(session, book.broker, list(ours))
        working = {one.broker_order_id for one in slices.working(session)}

    def is_news(broker_order_id: str) -> bool:
        row = book.by_broker_order_id.get(broker_order_id)
        has_ended = row is not None and row.status is not BrokerOrderStatus.OPEN
        trades = book.trades.get(broker_order_id, ())
        has_unbooked = any((broker_order_id, trade.broker_trade_id) not in booked for trade in trades)
        return has_unbooked or (has_ended and broker_order_id in working)

    return {broker_order_id: slice_id for broker_order_id, slice_id in ours.items() if is_news(broker_order_id)}


def _book_fills(session: Session, order: Order, one: OrderSlice, added: int, now: datetime) -> None:
    filled, average = fills.totals(session, one.id)
    slices.change(session, one.id, now, filled_quantity=filled, average_price=average)
    events.add(session, EventKind.FILL, order.id, one.id, now, quantity=added, filled_quantity=filled)
    log.info("slice filled", order_id=order.id, slice_id=one.id, quantity=added, filled_quantity=filled)
    if one.status in FINAL_SLICES:
        events.alarm(session, "fill after the end", order.id, one.id, now, status=one.status, quantity=added)
    if filled > one.quantity:
        events.alarm(session, "slice overfilled", order.id, one.id, now, filled=filled, quantity_asked=one.quantity)


def _is_all_booked(session: Session, broker: str, row: BrokerOrder) -> bool:
    """The trade book may lag behind the order book; an end is taken over only with all its fills."""
    return fills.of_broker_order(session, broker, row.broker_order_id) >= row.filled_quantity


def _ending(one: OrderSlice, row: BrokerOrder) -> SliceStatus | None:
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
