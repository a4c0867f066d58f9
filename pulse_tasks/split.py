"""Split an accepted order."""

from pulse_core.clock import utcnow
from pulse_core.services import split
from pulse_core.services.each import for_each
from pulse_tasks import app
from pulse_tasks.base import PulseTask


@app.task(base=PulseTask, name="pulse.split_order")
def split_order(*order_ids: str) -> None:
    """Turn accepted orders into their slices."""
    for_each(order_ids, lambda order_id: split.split_order(order_id, now=utcnow()))
