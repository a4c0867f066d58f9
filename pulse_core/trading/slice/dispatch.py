"""Hand slices to Celery shortly before their time."""

from datetime import datetime, timedelta

from pulse_core import db, queue
from pulse_core.config import settings
from pulse_core.failpoints import failpoint
from pulse_core.queue import Wakeup
from pulse_core.tasks import Task
from pulse_core.trading.slice.label import label
from pulse_core.trading.store import slices
from pulse_core.trading.store.slices import DueSlice

BATCH = 500
MOST_BATCHES = 10


def dispatch_due_slices(now: datetime) -> int:
    """Send a wake-up for every slice that comes into the horizon; returns how many were sent.

    Raises one of queue.UNREACHABLE when the queue is away; the slices are taken again when their hint expires.
    """
    sent = 0
    for _ in range(MOST_BATCHES):
        taken = _dispatch_batch(now)
        sent += taken
        if taken < BATCH:
            break
    return sent


def _dispatch_batch(now: datetime) -> int:
    horizon = now + timedelta(seconds=settings().dispatch_horizon)
    with db.transaction() as session:
        due = slices.take_due(session, settings().broker, horizon, now, BATCH)
    if not due:
        return 0
    failpoint("dispatch.after_commit")
    queue.send(map(_wakeup, due))
    failpoint("dispatch.after_publish")
    return len(due)


def _wakeup(due: DueSlice) -> Wakeup:
    shown = label(due.order_id, due.side, due.instrument, due.num_splits, due.quantity, due.sequence_number)
    return Wakeup(Task.EXECUTE_SLICE, (due.id,), due.due_at, tuple(due.trace.items()), shown)
