"""What still works when the broker's day is over: an order of the day has ended, whether its end was seen or not."""

from datetime import datetime

from sqlalchemy.orm import Session

from api_contract.vocabulary import SliceStatus
from pulse_core import brokers, db
from pulse_core.batching import for_each
from pulse_core.brokers.port import Broker
from pulse_core.tasks import Task
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.book import days
from pulse_core.trading.book.reading import Book, read_book
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.slice.fills import NOTHING, settle_slices
from pulse_core.trading.store import at_broker, events, fills, placements, slices
from pulse_core.trading.store.slices import END_UNSEEN
from pulse_core.trading.tables import OrderSlice
from pulse_core.trading.vocabulary import PlacementOutcome


def end_day(now: datetime, limit: int = 500) -> int:
    """End up to `limit` slices of each account that worked when an earlier day of its broker ended; returns how many.

    Raises BookUnavailable.
    """
    return brokers.for_each_account(Task.END_DAY, lambda broker: _end_day(broker, now, limit))


def _end_day(broker: Broker, now: datetime, limit: int) -> int:
    """The same of one account.

    What the book of today still shows is left to be followed there, and one that lacks orders of today ends nothing.
    """
    with db.transaction() as session:
        left = at_broker.left_working(session, broker.name, days.over_before(broker, now))
    if not left:
        return 0
    book = read_book(broker, now, is_checked=True)
    if not book.is_evidence:
        return 0
    gone = [one for one in left if one.broker_order_id not in book.by_broker_order_id][:limit]
    for_each(gone, lambda one: _end(one, book, now))
    return len(gone)


def _end(seen: OrderSlice, book: Book, now: datetime) -> None:
    with db.transaction() as session:
        order, one = slices.lock(session, seen.id)
        # It was listed without a lock: it may have ended, or work another order.
        if (one.status, one.broker_order_id) != (SliceStatus.WORKING, seen.broker_order_id):
            return
        settle_slices(session, [(one, one.broker_order_id or "")], book, now)
        _end_unseen(session, one, now)
        roll_up(session, order, now)


def _end_unseen(session: Session, one: OrderSlice, now: datetime) -> None:
    booked = fills.totals(session, {one.id}).get(one.id, NOTHING)
    totals = {"filled_quantity": booked.filled, "average_price": booked.average}
    placements.complete(session, one.client_order_id or "", PlacementOutcome.ACKNOWLEDGED, ended_at=now)
    if booked.filled >= one.quantity:
        slices.move(session, one, SliceStatus.FILLED, now, **totals)
        return
    message = f"the day of {one.broker_order_id} ended, and its end was not seen"
    slices.move(session, one, SliceStatus.EXPIRED, now, error_code=END_UNSEEN, error_message=message, **totals)
    known = {"broker_order_id": one.broker_order_id, "filled_quantity": booked.filled}
    events.alarm(session, AlarmCode.END_UNSEEN, one.order_id, one.id, now, **known)
