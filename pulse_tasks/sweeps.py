"""One task for each sweep, sent by beat and, for haste, by whoever knows that there is something to find."""

from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import Task
from pulse_tasks import app, watch
from pulse_tasks.base import PulseTask


def _register(task: Task) -> None:
    @app.task(base=PulseTask, name=task.value, ignore_result=True)
    def sweep(is_tick: bool = False) -> None:
        watch.run_sweep(task, is_tick=is_tick)


for _task in SWEEPS:
    _register(_task)
