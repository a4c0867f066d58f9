"""Pause and resume an order: while paused it sends no further slices, and working ones are followed or called back."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.errors import InvalidState, NotFound
from api_contract.versions import Expected
from api_contract.vocabulary import CatchUp, OrderStatus, ReplanCause, SliceStatus, WorkingSlices
from pulse_core import db, queue
from pulse_core.batching import for_each
from pulse_core.config import settings
from pulse_core.events.names import EventKind
from pulse_core.markets import hours
from pulse_core.owner import Owner
from pulse_core.tasks import Task
from pulse_core.trading.order.queries import check_expected, order_report
from pulse_core.trading.order.reports import OrderReport
from pulse_core.trading.order_totals import end_unsent, roll_up
from pulse_core.trading.replanning import replan
from pulse_core.trading.store import events, holds, orders
from pulse_core.trading.tables import Order

MISSED = {"error_code": "PAUSED", "error_message": "its time passed while the order was paused, and no room was left"}


def pause_order(
    owner: Owner,
    order_id: str,
    actor: str,
    now: datetime,
    expected: Expected | None = None,
    working: WorkingSlices = WorkingSlices.KEEP,
) -> OrderReport:
    """Send nothing new of an order in progress; repeating it is harmless.

    With `working` CANCEL, what works at the broker or turns out to is cancelled there, also of an order that is paused
    already. Raises NotFound, InvalidState, PreconditionFailed unless the order is as `expected`.
    """
    is_recalled = working is WorkingSlices.CANCEL
    with db.transaction() as session:
        order = _own(session, owner, order_id)
        check_expected(session, order, expected)
        if order.status is not OrderStatus.PAUSED:
            _check(order, OrderStatus.IN_PROGRESS, "paused")
            _note_request(session, order, "pause", actor, now, working)
            orders.move(session, order, OrderStatus.PAUSED, now, recalls_working=is_recalled)
        elif is_recalled and not order.recalls_working:
            _note_request(session, order, "pause", actor, now, working)
            orders.change(session, order, now, recalls_working=True)
        if is_recalled:
            queue.wake_after_commit(session, Task.CANCEL_SLICES)
    return order_report(owner, order_id)


def resume_order(
    owner: Owner,
    order_id: str,
    actor: str,
    now: datetime,
    expected: Expected | None = None,
    catch_up: CatchUp | None = None,
) -> OrderReport:
    """Let an order that is paused or held go on, and catch up as its policy says; repeating it is harmless.

    `catch_up` replaces the policy for this once. What is at fault is not looked at: the next refusal holds the order
    again. Raises NotFound, InvalidState, PreconditionFailed unless the order is as `expected`.
    """
    known = hours.current()
    with db.transaction() as session:
        order = _own(session, owner, order_id)
        check_expected(session, order, expected)
        is_held = order.hold is not None
        if order.status is not OrderStatus.IN_PROGRESS or is_held:
            if order.status is not OrderStatus.IN_PROGRESS:
                _check(order, OrderStatus.PAUSED, "resumed")
            _note_request(session, order, "resume", actor, now)
            if is_held:
                holds.release(session, order, now, actor)
            if order.status is OrderStatus.PAUSED:
                orders.move(session, order, OrderStatus.IN_PROGRESS, now)
            cause = ReplanCause.RELEASED if is_held else ReplanCause.RESUMED
            replan(session, order, cause, known, now, catch_up)
            roll_up(session, order, now)
        queue.wake_after_commit(session, Task.DISPATCH_DUE_SLICES)
    return order_report(owner, order_id)


def end_forgotten_pauses(now: datetime, limit: int = 50) -> int:
    """Skip what is unsent of orders whose window closed while they were paused; returns how many there were."""
    with db.transaction() as session:
        forgotten = orders.paused_past(session, now - timedelta(seconds=settings().late_grace), limit)

    def end(order_id: str) -> None:
        with db.transaction() as session:
            order = orders.lock(session, order_id)
            if order is not None and order.status is OrderStatus.PAUSED:
                end_unsent(session, order, SliceStatus.SKIPPED, now, **MISSED)
                roll_up(session, order, now)

    for_each(forgotten, end)
    return len(forgotten)


def _note_request(
    session: Session,
    order: Order,
    request: str,
    actor: str,
    now: datetime,
    working: WorkingSlices = WorkingSlices.KEEP,
) -> None:
    asked = {} if working is WorkingSlices.KEEP else {"working": working.value}
    events.add(session, EventKind.REQUEST, order.id, None, now, request=request, actor=actor, moved=None, **asked)


def _own(session: Session, owner: Owner, order_id: str) -> Order:
    order = orders.of_owner(session, owner, order_id, locked=True)
    if order is None:
        raise NotFound("there is no such order")
    return order


def _check(order: Order, needed: OrderStatus, deed: str) -> None:
    if order.status is not needed:
        raise InvalidState(f"the order is {order.status} and cannot be {deed}", {"status": order.status})
