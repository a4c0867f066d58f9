"""One task for each sweep, sent by beat and, for haste, by whoever knows that there is something to find."""

from pulse_core.services.sweeps import SWEEPS
from pulse_tasks import app, watch
from pulse_tasks.base import PulseTask


def _register(name: str) -> None:
    @app.task(base=PulseTask, name=name, ignore_result=True)
    def sweep(is_tick: bool = False) -> None:
        watch.run_sweep(name, is_tick=is_tick)


for _name in SWEEPS:
    _register(_name)
