"""One task for each sweep, sent by beat, and at once by code that knows there is something to find."""

from pulse_core.config import settings
from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import Task
from pulse_tasks import app
from pulse_tasks.base import PulseTask
from pulse_tasks.sweep_runner import runner

# A hint at a broker order may be the first that is heard of one whose placing is in doubt.
_HINTED_AT_TOO = {Task.TRACK_SLICES: (Task.RESOLVE_SLICES,)}


def _register(task: Task) -> None:
    @app.task(base=PulseTask, name=task.value, ignore_result=True, send_events=settings().sweep_events)
    def sweep(hint: str = "", is_tick: bool = False) -> None:
        try:
            runner.run(task, hint, is_tick=is_tick)
        finally:
            for other in _HINTED_AT_TOO.get(task, ()) if hint else ():
                runner.run(other)


for _task in SWEEPS:
    _register(_task)
