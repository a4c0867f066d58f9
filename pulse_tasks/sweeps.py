"""One task for each sweep, sent by beat, and at once by code that knows there is something to find."""

from pulse_core.config import settings
from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import Task
from pulse_tasks import app
from pulse_tasks.base import PulseTask
from pulse_tasks.sweep_runner import runner


def _register(task: Task) -> None:
    @app.task(base=PulseTask, name=task.value, ignore_result=True, send_events=settings().sweep_events)
    def sweep(hint: str = "", is_tick: bool = False) -> None:
        runner.run(task, hint, is_tick=is_tick)


for _task in SWEEPS:
    _register(_task)
