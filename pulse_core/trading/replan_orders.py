"""Orders that have to catch up: with rests that came back, with more due than may go out at once, at their end."""

from collections.abc import Collection
from datetime import datetime, timedelta

from api_contract.vocabulary import OrderStatus, ReplanCause
from pulse_core import db, queue
from pulse_core.batching import for_each
from pulse_core.config import settings
from pulse_core.markets import hours
from pulse_core.markets.hours import Hours
from pulse_core.tasks import Task
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.order_window import latest_end
from pulse_core.trading.replanning import replan
from pulse_core.trading.sessions import has_waited, opened_at
from pulse_core.trading.store import orders, schedules, slices

BATCH = 100
# What came due by then is on its way out, and stays as it is.
JUST_DUE = timedelta(seconds=1)


def replan_orders(now: datetime, limit: int = BATCH) -> int:
    """Plan anew the orders for which somebody asked for it, and are held by nothing; returns how many."""
    with db.transaction() as session:
        found = schedules.asked_for(session, now, limit)
    _replan_all(found, None, now, JUST_DUE)
    return len(found)


def replan_crowded(broker_account: str, now: datetime, limit: int = BATCH) -> int:
    """Plan anew the orders of which more is due than may go out in an interval; returns how many.

    Being late makes no order a burst.
    """
    with db.transaction() as session:
        found = schedules.crowded(session, broker_account, now, limit)
    _replan_all(found, ReplanCause.OVERDUE, now)
    return len(found)


def replan_of_slices(slice_ids: Collection[str], now: datetime) -> None:
    """Plan anew the orders of slices that were not claimed because too much of their order was due."""
    with db.transaction() as session:
        found = schedules.orders_of(session, slice_ids)
    _replan_all(found, ReplanCause.OVERDUE, now)


def _replan_all(
    order_ids: Collection[str], cause: ReplanCause | None, now: datetime, just_due: timedelta = timedelta(0)
) -> None:
    if order_ids:
        known = hours.current()
        for_each(order_ids, lambda order_id: _replan(order_id, cause, known, now, just_due))


def _replan(order_id: str, cause: ReplanCause | None, known: Hours, now: datetime, just_due: timedelta) -> None:
    with db.transaction() as session:
        order = orders.lock(session, order_id)
        if order is None or order.status is not OrderStatus.IN_PROGRESS or order.hold is not None:
            return
        if cause is None:
            if order.replan_at is None or order.replan_at > now:
                return
            cause = ReplanCause.WINDOW_OVER if now >= latest_end(order) else ReplanCause.RESTS
        opened = opened_at(known, order, now) if cause is ReplanCause.OVERDUE else None
        if opened and any(has_waited(one, opened) for one in slices.unsent(session, order.id)):
            cause, just_due = ReplanCause.OPENED, JUST_DUE
        # What is late may still go out for a while after the window, as much of it at a time as the cap allows.
        grace = timedelta(seconds=settings().late_grace)
        if cause is ReplanCause.OVERDUE and now > latest_end(order):
            just_due = grace
        replan(session, order, cause, known, now, just_due=just_due, grace=grace, opened=opened)
        roll_up(session, order, now)
        queue.wake_after_commit(session, Task.DISPATCH_DUE_SLICES)
