"""Place slices at their time."""

from pulse_core.tasks import Task
from pulse_core.trading.slice import execute
from pulse_tasks import app
from pulse_tasks.base import PulseTask


@app.task(base=PulseTask, name=Task.EXECUTE_SLICE.value)
def execute_slice(slice_id: str) -> None:
    """Place one due slice with its broker."""
    execute.execute_slice(slice_id)
