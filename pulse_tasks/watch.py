"""A thread in every worker that reads Postgres itself, for the time when no message comes.

In a worker for slices it takes what is overdue and unclaimed; in the other it runs each sweep that has not been run for
too long, because Redis or beat is away. Both go through the same claims as the tasks, so doing it twice is harmless.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

from celery import bootsteps

from api_contract.log import get_logger
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.store import slices
from pulse_tasks.base import AWAY
from pulse_tasks.sweep_runner import runner

log = get_logger(__name__)

PERIOD = 1.0
BATCH = 64
THREADS = 8


class Watch(bootsteps.StartStopStep):  # type: ignore[misc]
    """Runs while the worker runs, whatever state its connection to the queue is in."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, worker: Any) -> None:
        queues = set(worker.app.amqp.queues.consume_from)
        duties = {"slices": execute_overdue, "control": run_neglected_sweeps}
        for duty in (duties[queue] for queue in sorted(queues & duties.keys())):
            self._threads.append(threading.Thread(target=self._repeat, args=(duty,), daemon=True))
            self._threads[-1].start()

    def stop(self, worker: Any) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _repeat(self, duty: Callable[[], None]) -> None:
        while not self._stopping.wait(PERIOD):
            _attempt(duty.__name__, duty)


def execute_overdue() -> None:
    """Place slices whose message has not led to anything."""
    # Without a slice that is due, too: the first one need not wait then.
    if not sending_hold.may_send():
        return
    with db.transaction() as session:
        before = utcnow() - timedelta(seconds=settings().overdue_after)
        overdue = slices.overdue(session, settings().broker, before, BATCH)
    if not overdue:
        return
    log.warning("overdue slices taken from the table", count=len(overdue))
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(execute_slice, overdue))


def run_neglected_sweeps() -> None:
    """Run the sweeps that no message has asked for of late."""
    for name in runner.neglected():
        _attempt(name, partial(runner.run, name))


def _attempt(what: str, run: Callable[[], object]) -> None:
    try:
        run()
    except AWAY as error:
        log.warning("watch put off", what=what, reason=str(error))
    except Exception:
        log.exception("watch failed", what=what)
