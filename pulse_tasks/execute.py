"""Place slices at their time."""

from pulse_core.services import execute
from pulse_tasks import app
from pulse_tasks.base import PulseTask


@app.task(base=PulseTask, name="pulse.execute_slice")
def execute_slice(slice_id: str) -> None:
    """Place one due slice with its broker."""
    execute.execute_slice(slice_id)
