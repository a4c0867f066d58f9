"""Split an accepted order."""

from pulse_core.batching import for_each
from pulse_core.clock import utcnow
from pulse_core.tasks import Task
from pulse_core.trading.order import split
from pulse_tasks import app
from pulse_tasks.base import PulseTask


@app.task(base=PulseTask, name=Task.SPLIT_ORDER.value)
def split_order(*order_ids: str) -> None:
    """Turn accepted orders into their slices."""
    for_each(order_ids, lambda order_id: split.split_order(order_id, now=utcnow()))
