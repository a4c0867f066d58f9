"""Split an accepted order."""

from pulse_core.clock import utcnow
from pulse_core.services import split
from pulse_tasks import app
from pulse_tasks.base import PulseTask


@app.task(base=PulseTask, name="pulse.split_order")
def split_order(order_id: str) -> None:
    """Turn an accepted order into its slices."""
    split.split_order(order_id, now=utcnow())
