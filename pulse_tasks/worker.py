"""What Celery's worker needs to keep time and to come back by itself; `celery.md` in the docs says why."""

import time
from collections.abc import Iterable
from concurrent.futures import wait
from contextlib import suppress
from functools import partial
from typing import Any

from celery import Celery, bootsteps
from celery.worker.consumer import Consumer

from api_contract.errors import ServiceUnavailable
from api_contract.loaded import leave_uncollected
from api_contract.metrics import Collect, Metric, Process
from pulse_core import brokers, clock, db
from pulse_core.errors import DatabaseUnavailable
from pulse_core.metrics import process
from pulse_core.metrics.sweeps import LAG
from pulse_core.trading.slice.shares import shares
from pulse_tasks.fit_to_start import FitToStart
from pulse_tasks.metrics_page import serve
from pulse_tasks.reports import Reports
from pulse_tasks.sweep_runner import runner
from pulse_tasks.task_events import FlushEvents
from pulse_tasks.watch import Watch


class MetricsPage(bootsteps.Step):  # type: ignore[misc]
    """Count and serve what this worker does; nothing without PULSE_METRICS_PORT."""

    requires = ("celery.worker.components:Timer", FitToStart)

    def create(self, worker: Any) -> None:
        queues = set(worker.app.amqp.queues.consume_from)
        looked_up: list[Collect] = [process.refresh, process.look_up]
        if "slices" in queues:
            looked_up.append(process.look_up_sending)
        if "control" in queues:
            looked_up.append(_look_up_sweeps)
        serve(Process.WORKER, looked_up)


def _look_up_sweeps() -> Iterable[Metric]:
    yield LAG.of({(sweep.value,): lag for sweep, lag in runner.lags().items()})


class PunctualTimers(bootsteps.StartStopStep):  # type: ignore[misc]
    """Let the hub fire every timer that is due: it stops after ten and may then sleep for a second."""

    requires = ("celery.worker.components:Hub",)

    def create(self, worker: Any) -> None:
        worker.hub.fire_timers = partial(worker.hub.fire_timers, max_timers=1000)


class WarmThreads(bootsteps.StartStopStep):  # type: ignore[misc]
    """Start the pool's threads, their connections and the broker's client before the first slice needs them."""

    requires = ("celery.worker.components:Pool", FitToStart)

    def start(self, worker: Any) -> None:
        executor = getattr(worker.pool, "executor", None)
        shares.limit_to(worker.pool.limit)
        if executor is not None:
            with suppress(ServiceUnavailable):
                brokers.reachable()
            wait([executor.submit(_warm_up) for _ in range(worker.pool.limit)], timeout=5)
        leave_uncollected()


def _warm_up() -> None:
    with suppress(DatabaseUnavailable):
        db.ping()
        clock.utcnow()
    # Long enough for every thread of the pool to take one of these.
    time.sleep(0.05)


class LeaveTheRest(bootsteps.StartStopStep):  # type: ignore[misc]
    """Begin no task any more once the worker is told to end: those that wait for a thread go back to the queue.

    A worker holds up to four tasks for each thread, and with a slow broker all of them take longer than it is given.
    """

    requires = ("celery.worker.components:Pool",)

    def close(self, worker: Any) -> None:
        executor = getattr(worker.pool, "executor", None)
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)


class EagerConsumer(Consumer):  # type: ignore[misc]
    """Look for a lost Redis every second; Celery's pause grows to half a minute."""

    def ensure_connected(self, conn: Any) -> Any:
        conn.ensure_connection = partial(conn.ensure_connection, interval_start=0.2, interval_step=0.2, interval_max=1)
        return super().ensure_connected(conn)


def install(app: Celery) -> None:
    """Give the workers of this application our consumer, our timers, our events, the watch and the reports."""
    app.conf.worker_consumer = "pulse_tasks.worker:EagerConsumer"
    app.steps["worker"].update({FitToStart, LeaveTheRest, MetricsPage, PunctualTimers, Reports, WarmThreads, Watch})
    app.steps["consumer"].add(FlushEvents)
