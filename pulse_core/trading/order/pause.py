"""Pause and resume an order: while paused it sends no further slices, and working ones are still followed."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.errors import InvalidState, NotFound
from api_contract.versions import Expected
from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import db, queue
from pulse_core.batching import for_each
from pulse_core.config import settings
from pulse_core.errors import LostRace
from pulse_core.events.names import EventKind
from pulse_core.markets import hours
from pulse_core.markets.hours import Hours
from pulse_core.owner import Owner
from pulse_core.tasks import Task
from pulse_core.trading.order.queries import OrderReport, check_expected, order_report
from pulse_core.trading.order_totals import end_unsent, roll_up
from pulse_core.trading.repacing import repace
from pulse_core.trading.sessions import trading_time
from pulse_core.trading.store import events, orders, slices
from pulse_core.trading.tables import Order, OrderSlice
from pulse_core.trading.trading_time import TradingTime

MISSED = {"error_code": "PAUSED", "error_message": "its time passed while the order was paused, and no room was left"}


def pause_order(
    owner: Owner, order_id: str, actor: str, now: datetime, expected: Expected | None = None
) -> OrderReport:
    """Send nothing new of an order in progress; repeating it is harmless.

    Raises NotFound, InvalidState, PreconditionFailed unless the order is as `expected`.
    """
    with db.transaction() as session:
        order = _own(session, owner, order_id)
        check_expected(session, order, expected)
        if order.status is not OrderStatus.PAUSED:
            _check(order, OrderStatus.IN_PROGRESS, "paused")
            events.add(session, EventKind.REQUEST, order.id, None, now, request="pause", actor=actor)
            orders.move(session, order, OrderStatus.PAUSED, now)
    return order_report(owner, order_id)


def resume_order(
    owner: Owner, order_id: str, actor: str, now: datetime, expected: Expected | None = None
) -> OrderReport:
    """Let a paused order go on, with what it missed re-paced inside its window; repeating it is harmless.

    Raises NotFound, InvalidState, PreconditionFailed unless the order is as `expected`.
    """
    known = hours.current()
    with db.transaction() as session:
        order = _own(session, owner, order_id)
        check_expected(session, order, expected)
        if order.status is not OrderStatus.IN_PROGRESS:
            _check(order, OrderStatus.PAUSED, "resumed")
            events.add(session, EventKind.REQUEST, order.id, None, now, request="resume", actor=actor)
            orders.move(session, order, OrderStatus.IN_PROGRESS, now)
            _repace(session, order, known, now)
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


def _own(session: Session, owner: Owner, order_id: str) -> Order:
    order = orders.of_owner(session, owner, order_id, locked=True)
    if order is None:
        raise NotFound("there is no such order")
    return order


def _check(order: Order, needed: OrderStatus, deed: str) -> None:
    if order.status is not needed:
        raise InvalidState(f"the order is {order.status} and cannot be {deed}", {"status": order.status})


def _repace(session: Session, order: Order, known: Hours, now: datetime) -> None:
    unsent = slices.unsent(session, order.id)
    for one, due_at in zip(unsent, _repaced(order, trading_time(known, order), unsent, now), strict=True):
        if due_at is None:
            # Not locked: one that a worker claimed before the pause is followed from there.
            with suppress(LostRace):
                slices.move(session, one, SliceStatus.SKIPPED, now, **MISSED)
        elif due_at != one.due_at:
            slices.change(session, one.id, now, due_at=due_at, hinted_until=None)


def _repaced(order: Order, time: TradingTime, unsent: Sequence[OrderSlice], now: datetime) -> list[datetime | None]:
    """By the time in which the market takes the order: what is missed on an evening goes out the next morning."""
    if not time.stretches:
        return [one.due_at for one in unsent]
    interval = time.length / (order.num_splits - 1)
    due = [order.start_at + time.passed(one.due_at) for one in unsent]
    repaced = repace(due, order.start_at + time.passed(now), interval, order.start_at + time.length)
    return [None if one is None else time.runs_from(max(time.at(one - order.start_at), now)) for one in repaced]
