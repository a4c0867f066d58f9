"""Turn accepted orders into their schedules of slices, once."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.spans import continued
from api_contract.vocabulary import OrderStatus
from pulse_core import db, queue
from pulse_core.batching import for_each_batch
from pulse_core.config import settings
from pulse_core.failpoints import failpoint
from pulse_core.markets import hours
from pulse_core.markets.hours import Hours
from pulse_core.tasks import Task
from pulse_core.trading.admission.limits import is_on
from pulse_core.trading.order.planning import slices_of
from pulse_core.trading.replanning import plan_of, policy_of
from pulse_core.trading.sessions import trading_time
from pulse_core.trading.slice.dispatch import dispatch_turns_soon
from pulse_core.trading.slice.label import label
from pulse_core.trading.status import order_result
from pulse_core.trading.store import events, orders, slices
from pulse_core.trading.store.orders import Pace
from pulse_core.trading.store.slices import NewSlice
from pulse_core.trading.tables import Order

log = get_logger(__name__)

FORGOTTEN_AFTER = timedelta(seconds=2)
# How many orders are split in one transaction. A commit, and each of its statements, costs more than an order.
TOGETHER = 20

# The slices of each order, none for an order that is skipped.
Schedules = Mapping[str, Sequence[NewSlice]]


def split_orders(order_ids: Collection[str], now: datetime) -> None:
    """Plan all slices of those of these orders that are PENDING, TOGETHER at a time in one transaction.

    An order that somebody else has locked is left to the sweep. Where a transaction fails, each of its orders is split
    by itself, so that one that cannot be holds up none of the others; then the first error is raised.
    """
    for_each_batch(_batches(order_ids), lambda batch: _split(batch, now))


def split_forgotten_orders(now: datetime, limit: int = 200) -> int:
    """Split orders whose message was lost; returns how many there were."""
    with db.transaction() as session:
        forgotten = orders.unsplit(session, now - FORGOTTEN_AFTER, limit)
    split_orders(forgotten, now)
    return len(forgotten)


def _batches(order_ids: Collection[str]) -> Iterator[Sequence[str]]:
    in_order = sorted(set(order_ids))
    return (in_order[start : start + TOGETHER] for start in range(0, len(in_order), TOGETHER))


def _split(order_ids: Sequence[str], now: datetime) -> None:
    # Under a broker's limits no slice is handed to Celery before it has been given its turn.
    horizon = None if is_on() else now + timedelta(seconds=settings().dispatch_horizon)
    known = hours.current()
    with db.transaction() as session:
        pending = orders.lock_pending(session, order_ids)
        if not pending:
            return
        schedules = _schedule(session, pending, known, horizon, now)
        failpoint("split.before_commit")
    failpoint("split.after_commit")
    for order in pending:
        with continued(order.trace):
            _wake(order, schedules[order.id], horizon)
            log.info("order split", order_id=order.id, slices=len(schedules[order.id]))
    if horizon is None and any(schedules.values()):
        dispatch_turns_soon()


def _schedule(
    session: Session, pending: Sequence[Order], known: Hours, horizon: datetime | None, now: datetime
) -> Schedules:
    """Write the slices of locked orders and return them."""
    schedules = {order.id: _planned(session, order, known, now) for order in pending}
    begun = [(order, _pace(order, known)) for order in pending if schedules[order.id]]
    slices.add_planned(session, [one for planned in schedules.values() for one in planned], horizon, now)
    events.add_all(session, orders.begin_all(session, begun, now), now)
    return schedules


def _planned(session: Session, order: Order, known: Hours, now: datetime) -> Sequence[NewSlice]:
    """The slices of an order that can be split; one that cannot is skipped."""
    with continued(order.trace):
        if now > order.end_at + timedelta(seconds=settings().late_grace):
            _skip(session, order, "the order's window had closed before it could be split", now)
            return ()
        try:
            planned = slices_of(order, trading_time(known, order))
        except ValueError as error:
            _skip(session, order, str(error), now)
            return ()
        return [NewSlice(slices.id_of(order, one.sequence_number), order.id, one) for one in planned]


def _pace(order: Order, known: Hours) -> Pace:
    planned = plan_of(order, known)
    return Pace(planned.interval, planned.interval_cap(policy_of(order)))


def _skip(session: Session, order: Order, reason: str, now: datetime) -> None:
    result = order_result(order.total_quantity, 0)
    orders.move(session, order, OrderStatus.SKIPPED, now, result=result, skip_reason=reason, finished_at=now)


def _wake(order: Order, planned: Sequence[NewSlice], horizon: datetime | None) -> None:
    """Hand those of the slices to Celery that were written down as handed over."""
    if horizon is None:
        return
    about = (order.id, order.side, order.instrument, order.num_splits)
    for one in planned:
        due_at = one.planned.scheduled_at
        if due_at <= horizon:
            shown = label(*about, one.planned.quantity, one.planned.sequence_number)
            queue.wake(Task.EXECUTE_SLICE, one.id, eta=due_at, shown=shown)
            failpoint("split.between_wakeups")
