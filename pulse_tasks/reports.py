"""Workers report themselves in the database, as beat does."""

import time
from collections.abc import Collection
from typing import Any

from celery import bootsteps
from celery.worker import state

from pulse_core.health import reporter
from pulse_core.health.vocabulary import ProcessKind
from pulse_tasks.fit_to_start import FitToStart


class Reports(bootsteps.Step):  # type: ignore[misc]
    """Begins with the worker; the first report waits for nothing that the worker needs."""

    requires = ("celery.worker.components:Pool", FitToStart)

    def create(self, worker: Any) -> None:
        reporter.start(_kind(set(worker.app.amqp.queues.consume_from)), longest_task)


def longest_task() -> float | None:
    """For how many seconds the oldest task that is under way here has been; None when none is."""
    try:
        began = [request.time_start for request in tuple(state.active_requests) if request.time_start]
    except RuntimeError:
        # The pool's threads changed it meanwhile: the next report will tell.
        return None
    return time.time() - min(began) if began else None


def _kind(queues: Collection[str]) -> ProcessKind:
    if queues == {"slices"}:
        return ProcessKind.WORKER_SLICES
    return ProcessKind.WORKER_CONTROL if queues == {"control"} else ProcessKind.WORKER
