"""Turn an accepted order into its schedule of slices, once."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session
from ulid import ULID

from api_contract import ids
from api_contract.log import get_logger
from api_contract.spans import continued
from api_contract.vocabulary import OrderStatus
from pulse_core import db, queue
from pulse_core.batching import for_each
from pulse_core.config import settings
from pulse_core.failpoints import failpoint
from pulse_core.tasks import Task
from pulse_core.trading import schedule
from pulse_core.trading.admission.limits import is_on
from pulse_core.trading.schedule import PlannedSlice
from pulse_core.trading.slice.dispatch import dispatch_turns_soon
from pulse_core.trading.slice.label import label
from pulse_core.trading.status import order_result
from pulse_core.trading.store import orders, slices
from pulse_core.trading.tables import Order

log = get_logger(__name__)

FORGOTTEN_AFTER = timedelta(seconds=2)


def split_order(order_id: str, now: datetime) -> None:
    """Plan all slices of a PENDING order in one transaction; an order that was split before is left alone."""
    # Under a broker's limits no slice is handed to Celery before it has been given its turn.
    horizon = None if is_on() else now + timedelta(seconds=settings().dispatch_horizon)
    with db.transaction() as session:
        order = orders.lock(session, order_id)
        if order is None or order.status is not OrderStatus.PENDING:
            return
        with continued(order.trace):
            planned = _schedule(session, order, horizon, now)
        failpoint("split.before_commit")
    failpoint("split.after_commit")
    with continued(order.trace):
        for slice_id, one in planned:
            if horizon is not None and one.scheduled_at <= horizon:
                queue.wake(Task.EXECUTE_SLICE, slice_id, eta=one.scheduled_at, shown=_label(order, one))
                failpoint("split.between_wakeups")
        log.info("order split", order_id=order.id, slices=len(planned))
    if horizon is None and planned:
        dispatch_turns_soon()


def _label(order: Order, one: PlannedSlice) -> str:
    about = (order.id, order.side, order.instrument, order.num_splits)
    return label(*about, one.quantity, one.sequence_number)


def split_forgotten_orders(now: datetime, limit: int = 200) -> int:
    """Split orders whose message was lost; returns how many there were."""
    with db.transaction() as session:
        forgotten = orders.unsplit(session, now - FORGOTTEN_AFTER, limit)
    for_each(forgotten, lambda order_id: split_order(order_id, now))
    return len(forgotten)


def _schedule(
    session: Session, order: Order, horizon: datetime | None, now: datetime
) -> list[tuple[str, PlannedSlice]]:
    """Write the slices of a locked order and return them with their ids; none for an order that is skipped."""
    if now > order.end_at + timedelta(seconds=settings().late_grace):
        _skip(session, order, "the order's window had closed before it could be split", now)
        return []
    try:
        plan = _plan(order)
    except ValueError as error:
        _skip(session, order, str(error), now)
        return []
    planned = [(ids.slice_id(ULID()), one) for one in plan]
    slices.add_planned(session, order.id, planned, horizon, now)
    orders.move(session, order, OrderStatus.IN_PROGRESS, now)
    return planned


def _skip(session: Session, order: Order, reason: str, now: datetime) -> None:
    result = order_result(order.total_quantity, 0)
    orders.move(session, order, OrderStatus.SKIPPED, now, result=result, skip_reason=reason, finished_at=now)


def _plan(order: Order) -> list[PlannedSlice]:
    return schedule.plan(
        order.total_quantity,
        order.num_splits,
        order.start_at,
        order.end_at - order.start_at,
        order.seed if order.randomize else None,
    )
