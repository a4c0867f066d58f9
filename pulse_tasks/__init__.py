"""The Celery application: `celery -A pulse_tasks worker`, `... beat`, `... flower`."""

import logging
import sys

from celery import Celery
from celery.signals import setup_logging

from api_contract import core_files, log
from api_contract.known_variables import warn_of_variables
from api_contract.spans import export_spans
from pulse_core.config import Settings, queue_settings
from pulse_core.tasks import PERIODS
from pulse_tasks import dashboard
from pulse_tasks.outages import quiet

if "flower" in sys.argv:
    dashboard.take_password_from_file()

_TASKS = (
    *("pulse_tasks.split", "pulse_tasks.execute", "pulse_tasks.retry", "pulse_tasks.sweeps"),
    "pulse_tasks.report_process",
)
_IS_WORKER = "worker" in sys.argv
_IS_BEAT = "beat" in sys.argv and not _IS_WORKER
# Beat and Flower know tasks by their names, and need not hold in memory what these do.
_RUNS_TASKS = not _IS_BEAT and ("flower" not in sys.argv or _IS_WORKER)

app = Celery(
    "pulse",
    # Celery's own would load the worker's code into every process.
    fixups=(),
    events="pulse_tasks.task_events:ThreadSafeEvents",
    include=_TASKS if _RUNS_TASKS else ("pulse_tasks.beat",) if _IS_BEAT else (),
)
app.config_from_object("celeryconfig")
app.conf.beat_schedule = {
    # Without an expiry, which would be by beat's own clock.
    task.value: {"task": task.value, "schedule": every, "kwargs": {"is_tick": True}}
    for task, every in PERIODS.items()
}
if _RUNS_TASKS:
    from pulse_tasks import worker

    worker.install(app)


@setup_logging.connect(weak=False)
def _setup_logging(**_signal: object) -> None:
    core_files.leave_none()
    service = "beat" if _IS_BEAT else "worker"
    log.setup_logging(service, queue_settings().log_format, queue_settings().log_level)
    warn_of_variables(Settings)
    for handler in logging.getLogger().handlers:
        quiet(handler)
    export_spans(service, queue_settings().otel)
