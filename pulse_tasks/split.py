"""Split accepted orders."""

from pulse_core.clock import utcnow
from pulse_core.tasks import Task
from pulse_core.trading.order import split
from pulse_tasks import app
from pulse_tasks.base import PulseTask


@app.task(base=PulseTask, name=Task.SPLIT_ORDER.value)
def split_order(*order_ids: str) -> None:
    """Turn accepted orders into their slices."""
    split.split_orders(order_ids, now=utcnow())
