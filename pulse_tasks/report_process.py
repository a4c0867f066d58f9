"""Note what Flower says of itself."""

from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.health.signs import Sign, note_sign
from pulse_core.health.vocabulary import ProcessKind
from pulse_core.tasks import Task
from pulse_tasks import app
from pulse_tasks.base import PulseTask


@app.task(base=PulseTask, name=Task.REPORT_PROCESS.value, ignore_result=True, send_events=settings().sweep_events)
def report_process(
    process_id: str,
    host: str,
    pid: int,
    version: str,
    settings_digest: str,
    told_at_ms: int,
    *,
    has_ended: bool = False,
) -> None:
    """Note that Flower lives, or that it ends.

    A message that was on the way for long looks like a clock that is behind, so only one that is ahead is told of.
    """
    ahead_ms = told_at_ms - round(utcnow().timestamp() * 1000)
    clock_ahead_ms = ahead_ms if ahead_ms > 0 else None
    note_sign(ProcessKind.FLOWER, Sign(process_id, host, pid, version, settings_digest, clock_ahead_ms, has_ended))
