"""The Celery application: `celery -A pulse_tasks worker`, `... beat`, `... flower`."""

import sys

from celery import Celery
from celery.signals import setup_logging

from api_contract import log
from api_contract.spans import export_spans
from api_contract.variables import warn_of_old_names
from pulse_core.config import Settings, settings
from pulse_core.sweeps import SWEEPS
from pulse_tasks import dashboard as _dashboard  # noqa: F401
from pulse_tasks import worker

app = Celery(
    "pulse",
    events="pulse_tasks.task_events:ThreadSafeEvents",
    include=["pulse_tasks.split", "pulse_tasks.execute", "pulse_tasks.retry", "pulse_tasks.sweeps"],
)
app.config_from_object("celeryconfig")
app.conf.beat_schedule = {
    # Without an expiry, which would be by beat's own clock.
    task.value: {"task": task.value, "schedule": sweep.every, "kwargs": {"is_tick": True}}
    for task, sweep in SWEEPS.items()
}
worker.install(app)


@setup_logging.connect(weak=False)
def _setup_logging(**_signal: object) -> None:
    log.setup_logging("beat" if "beat" in sys.argv else "worker", settings().log_format, settings().log_level)
    warn_of_old_names(Settings.model_fields)
    export_spans("beat" if "beat" in sys.argv else "worker", settings().otel)
