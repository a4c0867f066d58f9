"""What an operator may do about slices that did not make it: list, look, try again, ask the broker again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from api_contract.errors import InvalidState, NotFound
from api_contract.log import get_logger
from api_contract.vocabulary import HoldReason, OrderStatus, ReplanCause, SliceStatus
from pulse_core import db, queue
from pulse_core.config import settings
from pulse_core.copies import copy_of
from pulse_core.events.names import EventKind
from pulse_core.failpoints import failpoint
from pulse_core.markets import hours
from pulse_core.markets.hours import Hours
from pulse_core.tasks import Task
from pulse_core.trading.order_window import latest_end
from pulse_core.trading.replanning import replan, returning
from pulse_core.trading.sessions import cut_off_passed, opens_at
from pulse_core.trading.slice.label import label
from pulse_core.trading.slice.resolve import resolve_now
from pulse_core.trading.status import SLICE_MOVES
from pulse_core.trading.store import events, holds, orders, placements, slices
from pulse_core.trading.store.slices import END_UNSEEN, SliceFilters
from pulse_core.trading.tables import Order, OrderSlice
from pulse_core.trading.vocabulary import PlacementOutcome

log = get_logger(__name__)


@dataclass(frozen=True)
class SliceState:
    """A slice as operators see it, of whatever account."""

    id: str
    order_id: str
    sequence_number: int
    status: SliceStatus
    quantity: int
    filled_quantity: int
    average_price: Decimal | None
    scheduled_at: datetime
    due_at: datetime
    sent_at: datetime | None
    attempts: int
    client_order_id: str | None
    broker_order_id: str | None
    error_code: str | None
    error_message: str | None
    updated_at: datetime


@dataclass(frozen=True)
class Attempt:
    """One attempt to place a slice; `outcome` None while it may still be under way."""

    attempt: int
    client_order_id: str
    broker_order_id: str | None
    quantity: int
    claimed_at: datetime
    outcome: PlacementOutcome | None


@dataclass(frozen=True)
class Entry:
    """One thing that happened to a slice."""

    at: datetime
    kind: EventKind
    from_status: str | None
    to_status: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class SliceHistory:
    """A slice with every attempt to place it and everything that happened to it, oldest first."""

    slice: SliceState
    attempts: Sequence[Attempt]
    events: Sequence[Entry]


def list_slices(filters: SliceFilters, limit: int) -> Sequence[SliceState]:
    """Up to `limit` slices of any account, the latest changed first."""
    with db.transaction() as session:
        return [copy_of(one, SliceState) for one in slices.listed(session, filters, limit)]


def slice_history(slice_id: str) -> SliceHistory:
    """Every attempt and broker answer of one slice. Raises NotFound."""
    with db.transaction() as session:
        found = _existing(session, slice_id)
        return SliceHistory(
            copy_of(found, SliceState),
            [copy_of(one, Attempt) for one in placements.of_slice(session, slice_id)],
            [copy_of(one, Entry) for one in events.of_slice(session, found.order_id, slice_id)],
        )


def why_not_retried(slice_id: str, now: datetime) -> str | None:
    """Why a retry of this slice would be refused now, None when it would not. Raises NotFound."""
    known = hours.current()
    with db.transaction() as session:
        one = _existing(session, slice_id)
        return _refusal(session, known, session.get_one(Order, one.order_id), one, now)


def retry_slice(slice_id: str, actor: str, now: datetime) -> None:
    """Send again what a slice lacks that is FAILED, REJECTED or EXPIRED, as its order catches up.

    A FAILED or REJECTED one goes back into the schedule; the rest of one that EXPIRED comes back in new slices. Raises
    NotFound, or InvalidState with the reason why it cannot be sent again.
    """
    known = hours.current()
    with db.transaction() as session:
        _existing(session, slice_id)
        order, one = slices.lock(session, slice_id)
        if (reason := _refusal(session, known, order, one, now)) is not None:
            raise InvalidState(f"slice {slice_id} cannot be retried: {reason}", {"status": one.status})
        if order.status is OrderStatus.DONE:
            orders.move(session, order, OrderStatus.IN_PROGRESS, now, result=None, finished_at=None)
        if order.hold is HoldReason.INVALID:
            # Whoever tries one of them again takes the wall for gone: the next refusal holds the order again.
            holds.release(session, order, now, actor)
        seen = one.status
        if seen is not SliceStatus.EXPIRED:
            again = {"due_at": now, "hinted_until": None, "sent_at": None, "failures": 0}
            slices.move(session, one, SliceStatus.SCHEDULED, now, **again)
        events.add(session, EventKind.REQUEST, order.id, one.id, now, request="retry", actor=actor, seen=seen)
        if order.status is OrderStatus.IN_PROGRESS and now <= latest_end(order):
            replan(session, order, ReplanCause.RETRIED, known, now)
            queue.wake_after_commit(session, Task.DISPATCH_DUE_SLICES)
        failpoint("retry.before_commit")
    failpoint("retry.after_commit")
    log.info("retry requested", slice_id=slice_id, actor=actor)
    shown = label(order.id, order.side, order.instrument, order.num_splits, one.quantity, one.sequence_number)
    queue.wake(Task.EXECUTE_SLICE, slice_id, shown=shown)


def resolve_slice(slice_id: str, actor: str, now: datetime) -> SliceStatus:
    """Ask the broker's book about an UNKNOWN slice now, and return its status after that.

    Raises NotFound, InvalidState for a slice whose state is known, BookUnavailable.
    """
    with db.transaction() as session:
        doubted, broker_account = _request_resolve(session, slice_id, actor, now)
    resolve_now(broker_account, doubted, now)
    with db.transaction() as session:
        return _existing(session, slice_id).status


def request_resolve(slice_id: str, actor: str, now: datetime) -> None:
    """Have a worker ask the broker's book about an UNKNOWN slice at once. Raises NotFound, InvalidState."""
    with db.transaction() as session:
        _request_resolve(session, slice_id, actor, now)
        queue.wake_after_commit(session, Task.RESOLVE_SLICES)


def _refusal(session: Session, known: Hours, order: Order, one: OrderSlice, now: datetime) -> str | None:
    """Why this slice must not be sent again, None when it may be: the same for a retry and for its dry run."""
    if one.status is SliceStatus.UNKNOWN:
        return "it is UNKNOWN and may be live at the broker; resolve it first"
    is_sent_again = SliceStatus.SCHEDULED in SLICE_MOVES[one.status] and one.status is not SliceStatus.SENDING
    if not is_sent_again and one.status is not SliceStatus.EXPIRED:
        return f"it is {one.status}"
    if one.filled_quantity >= one.quantity:
        return "it is filled"
    if order.status not in (OrderStatus.IN_PROGRESS, OrderStatus.PAUSED, OrderStatus.DONE):
        return f"its order is {order.status}"
    if now > order.end_at + timedelta(seconds=settings().late_grace):
        return f"its order's window closed at {order.end_at:%Y-%m-%d %H:%M:%S} UTC"
    if (closed := _closed(known, order, now)) is not None:
        return closed
    live = placements.live_beside(session, one.id, None)
    if live is not None:
        return f"attempt {live.attempt} of it may be live at the broker"
    return _why_no_rest(session, order, one, now) if one.status is SliceStatus.EXPIRED else None


def _why_no_rest(session: Session, order: Order, one: OrderSlice, now: datetime) -> str | None:
    if now > latest_end(order):
        return "its order's window is over"
    if one.error_code == END_UNSEEN:
        return "its end was not seen, and it may have been filled: settle it first"
    if not returning(order, slices.of_order(session, order.id)):
        return "its rest is in other slices of its order by now, or was given up"
    return None


def _closed(known: Hours, order: Order, now: datetime) -> str | None:
    if (cut_off := cut_off_passed(known, order, now)) is not None:
        return f"its product is not taken after {cut_off:%Y-%m-%d %H:%M:%S} UTC"
    opens = opens_at(known, order, now)
    if opens == now:
        return None
    until = "" if opens is None else f" until {opens:%Y-%m-%d %H:%M:%S} UTC"
    return f"its market is closed{until}"


def _request_resolve(session: Session, slice_id: str, actor: str, now: datetime) -> tuple[OrderSlice, str]:
    _existing(session, slice_id)
    order, one = slices.lock(session, slice_id)
    if one.status is not SliceStatus.UNKNOWN:
        raise InvalidState(f"slice {slice_id} is {one.status}: there is nothing to resolve", {"status": one.status})
    # A first look that found nothing keeps its settle delay: asking more often makes an absence no surer.
    if one.absent_since is None:
        slices.change(session, slice_id, now, resolve_at=now)
    events.add(session, EventKind.REQUEST, order.id, one.id, now, request="resolve", actor=actor)
    return one, order.broker_account


def _existing(session: Session, slice_id: str) -> OrderSlice:
    one = slices.get(session, slice_id)
    if one is None:
        raise NotFound(f"there is no slice {slice_id}")
    return one
