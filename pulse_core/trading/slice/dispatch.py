"""Hand slices to Celery shortly before their time, and under a broker's limits for their turn."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

from pulse_core import brokers, db, queue
from pulse_core.batching import for_each
from pulse_core.brokers.port import Broker
from pulse_core.config import settings
from pulse_core.errors import DatabaseUnavailable
from pulse_core.failpoints import failpoint
from pulse_core.queue import Wakeup
from pulse_core.queue_away import UNREACHABLE
from pulse_core.tasks import Task
from pulse_core.trading.admission import admit
from pulse_core.trading.admission.limits import is_on
from pulse_core.trading.replan_orders import replan_crowded
from pulse_core.trading.slice.batches import due_together
from pulse_core.trading.slice.label import label_of_batch
from pulse_core.trading.slice.put_off import put_off_closed
from pulse_core.trading.slice.skipping import skip_over
from pulse_core.trading.store import due_slices, turns
from pulse_core.trading.store.due_slices import DueSlice

BATCH = 500
MOST_BATCHES = 10
# A slice of which nothing was heard may be among so many messages that wait for a worker: another one would only
# make the queue longer.
SHORT_QUEUE = 200


def dispatch_due_slices(now: datetime) -> int:
    """Send a wake-up for every slice that comes into the horizon, or for a batch of them; returns for how many slices.

    Those of accounts that cannot be reached from here wait. Under a broker's limits, for every slice that is given a
    turn. Raises one of UNREACHABLE when the queue is away; the slices are taken again when their hint expires, or
    by the watch of a worker.
    """
    with db.transaction() as session:
        kept = due_slices.accounts_due(session, now)
    batch = _dispatch_turns if is_on() else partial(_dispatch_batch, is_short=queue.slices_waiting() < SHORT_QUEUE)
    return sum(_dispatch(broker, now, batch, is_due=broker.name in kept) for broker in brokers.reachable())


def _dispatch(broker: Broker, now: datetime, batch: Callable[[Broker, datetime], int], *, is_due: bool) -> int:
    if is_due:
        put_off_closed(broker.name, now)
        replan_crowded(broker.name, now)
    if is_on():
        _skip_over(broker, now)
    sent = 0
    for _ in range(MOST_BATCHES):
        taken = batch(broker, now)
        sent += taken
        if taken < BATCH:
            break
    return sent


def dispatch_turns_soon() -> None:
    """Give turns to slices that were just committed, without waiting for the queue; what fails is left to the sweep."""
    with suppress(DatabaseUnavailable):
        # No message is about slices of two accounts: those of one might wait for the other's broker.
        queue.send_soon(chain.from_iterable(_wakeups(one.to_tell) for one in admit.admit_soon()))


def _dispatch_batch(broker: Broker, now: datetime, is_short: bool) -> int:
    horizon = now + timedelta(seconds=settings().dispatch_horizon)
    with db.transaction() as session:
        due = due_slices.take_due(session, broker.name, horizon, now, BATCH, is_repeated=is_short)
    if not due:
        return 0
    failpoint("dispatch.after_commit")
    queue.send(_wakeups(due))
    failpoint("dispatch.after_publish")
    return len(due)


def _dispatch_turns(broker: Broker, now: datetime) -> int:
    admitted = admit.admit_of(broker, now)
    if admitted.to_tell:
        failpoint("dispatch.after_commit")
        _send(admitted.to_tell)
        failpoint("dispatch.after_publish")
    return admitted.given


def _send(due: Sequence[DueSlice]) -> None:
    try:
        queue.send(_wakeups(due))
    except UNREACHABLE:
        with db.statement() as connection:
            turns.distrust(connection, [one.id for one in due])
        raise


def _skip_over(broker: Broker, now: datetime) -> None:
    ended_before = now - timedelta(seconds=settings().late_grace)
    with db.transaction() as session:
        over = turns.over(session, broker.name, ended_before, now, BATCH)
    for_each(over, lambda slice_id: skip_over(slice_id, now))


def _wakeups(due: Iterable[DueSlice]) -> Iterator[Wakeup]:
    """One message for each batch. It comes when the last of them is due, since none may go out before its time."""
    return (_wakeup(batch) for batch in due_together(due, lambda one: one.due_at))


def _wakeup(batch: Sequence[DueSlice]) -> Wakeup:
    # A message belongs to one trace at most; each slice has that of its order in its row.
    trace = batch[0].trace if all(one.trace == batch[0].trace for one in batch) else {}
    slice_ids = tuple(one.id for one in batch)
    return Wakeup(Task.EXECUTE_SLICE, slice_ids, batch[-1].due_at, tuple(trace.items()), label_of_batch(batch))
