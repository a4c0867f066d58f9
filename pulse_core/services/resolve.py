"""Find out from the broker's book what became of a slice, and never from anything else."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from pulse_core import brokers, db
from pulse_core.brokers.base import BookUnavailable, BrokerOrder
from pulse_core.config import settings
from pulse_core.db import Fence
from pulse_core.domain.enums import PlacementOutcome, SliceStatus
from pulse_core.failpoints import failpoint
from pulse_core.log import get_logger
from pulse_core.models import Order, OrderSlice
from pulse_core.repositories import events, placements, slices
from pulse_core.services.each import for_each
from pulse_core.services.execute import deadline, put_back
from pulse_core.services.settle import settle_order
from pulse_core.services.track import Book, settle_slices

log = get_logger(__name__)

LOOK_AGAIN_AFTER = timedelta(seconds=5)
WATCH_EVERY = timedelta(seconds=2)
ASK_SELDOM_EVERY = timedelta(minutes=5)
# Longer than both books take: a reading that began before midnight may show the next day.
READING_TIME = timedelta(minutes=1)


def expire_claims(now: datetime, limit: int = 200) -> int:
    """Slices whose worker died between claim and record become UNKNOWN; returns how many there were.

    A stopped worker still holds the fence, and its slice is left alone until it wakes up or dies.
    """
    with db.transaction() as session:
        expired = slices.expired_claims(session, now, limit)
    for_each(expired, lambda slice_id: _expire(slice_id, now))
    return len(expired)


def resolve_slices(now: datetime, limit: int = 200) -> int:
    """Look up UNKNOWN slices in the broker's book; returns how many were looked at.

    Raises BookUnavailable, after postponing the next look.
    """
    with db.transaction() as session:
        unknown = slices.to_resolve(session, now, limit)
    if not unknown:
        return 0
    try:
        book = Book.read(brokers.connect(settings()))
    except BookUnavailable:
        with db.transaction() as session:
            # A broker that was away may still enter what it had taken before: the settle delay begins anew.
            slices.postpone_looks(session, [one.id for one in unknown], now + LOOK_AGAIN_AFTER, now)
        raise
    for_each(unknown, lambda one: _look_up(one, book, now))
    return len(unknown)


def resolve_now(one: OrderSlice, now: datetime) -> None:
    """Look up one UNKNOWN slice, whenever its next look would be due. Raises BookUnavailable."""
    _look_up(one, Book.read(brokers.connect(settings())), now)


def _look_up(one: OrderSlice, book: Book, now: datetime) -> None:
    with db.fence(one.id) as fence:
        if fence is not None:
            _resolve(fence, one, book, now)


def _expire(slice_id: str, now: datetime) -> None:
    with db.fence(slice_id) as fence:
        if fence is None:
            return
        with fence.transaction() as session:
            order, one = slices.lock(session, slice_id)
            if one.status is not SliceStatus.SENDING or one.lease_expires_at is None or one.lease_expires_at > now:
                return
            error = {"error_code": "WORKER_LOST", "error_message": "the worker was lost between claim and answer"}
            placements.complete(session, one.client_order_id or "", PlacementOutcome.UNKNOWN)
            slices.move(session, one, SliceStatus.UNKNOWN, now, resolve_at=now, **error)
            settle_order(session, order, now)
            failpoint("expire.before_commit")
        failpoint("expire.after_commit")


def _resolve(fence: Fence, seen: OrderSlice, book: Book, now: datetime) -> None:
    with fence.transaction() as session:
        order, one = slices.lock(session, seen.id)
        # The book was read for the attempt that was seen; of a later one it proves nothing.
        if one.status is not SliceStatus.UNKNOWN or one.client_order_id != seen.client_order_id:
            return
        row = book.by_client_order_id.get(one.client_order_id or "")
        if row is None:
            _book_absence(session, one, now)
        else:
            _take_over(session, order, one, row, now)
            settle_slices(session, order, [(one, row.broker_order_id)], book, now)
        settle_order(session, order, now)
        failpoint("resolve.before_commit")
    failpoint("resolve.after_commit")


def _take_over(session: Session, order: Order, one: OrderSlice, row: BrokerOrder, now: datetime) -> None:
    placements.complete(session, one.client_order_id or "", PlacementOutcome.ACKNOWLEDGED, row.broker_order_id)
    found = {"broker_order_id": row.broker_order_id, "deadline_at": deadline(order, one.sent_at or now)}
    slices.move(session, one, SliceStatus.WORKING, now, error_code=None, error_message=None, **found)


def _book_absence(session: Session, one: OrderSlice, now: datetime) -> None:
    """Absent all through the settle delay, in a book that could be read throughout, is absent; once proves nothing."""
    if not _is_in_todays_book(one, now):
        _give_to_operators(session, one, now)
        return
    settle_delay = settings().settle_delay
    if settle_delay == "never":
        slices.change(session, one.id, now, absent_since=one.absent_since or now, resolve_at=now + WATCH_EVERY)
        return
    first_seen = one.absent_since or now
    settled_at = first_seen + timedelta(seconds=settle_delay)
    if one.absent_since is None or now < settled_at:
        slices.change(session, one.id, now, absent_since=first_seen, resolve_at=min(settled_at, now + WATCH_EVERY))
        return
    placements.complete(session, one.client_order_id or "", PlacementOutcome.ABSENT)
    put_back(session, one, now, "ABSENT", "the broker's book shows no trace of it")


def _is_in_todays_book(one: OrderSlice, now: datetime) -> bool:
    """Whether the book that was just read is the one in which this attempt would stand."""
    broker = brokers.connect(settings())
    days = {broker.book_day(at) for at in (one.sent_at or now, now, now + READING_TIME)}
    return len(days) == 1


def _give_to_operators(session: Session, one: OrderSlice, now: datetime) -> None:
    """The book of its day is closed, and no later one proves an absence: only a person can find out."""
    what, client_order_id = "the book of the day is closed on an unknown slice", one.client_order_id or ""
    if not events.was_raised(session, one.id, what, client_order_id=client_order_id):
        events.alarm(session, what, one.order_id, one.id, now, client_order_id=client_order_id)
    slices.change(session, one.id, now, absent_since=None, resolve_at=now + ASK_SELDOM_EVERY)
