"""A thread in every worker that reads Postgres itself, for the time when no message comes.

In a worker for slices it takes what is overdue and unclaimed; in the other it runs each sweep that has not been run for
too long, because Redis or beat is away. Both go through the same claims as the tasks, so doing it twice is harmless.
"""

import threading
import time
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
from pulse_core.sweeps import SWEEPS, Sweep
from pulse_core.tasks import Task
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.store import slices
from pulse_tasks.base import AWAY

log = get_logger(__name__)

PERIOD = 1.0
SHORTEST_PATIENCE = 6.0
BATCH = 64
THREADS = 8
LONGEST_REST = 2.0

# A new process has run none: where processes end more often than a sweep comes round, it would never run.
_last_run = dict.fromkeys(SWEEPS, float("-inf"))
_began_at: dict[Task, float] = {}
_under_way: dict[Task, threading.Lock] = {}
_rests_until: dict[Task, float] = {}


def note_run(sweep: Task) -> None:
    """Remember that a sweep was run in this process just now."""
    _last_run[sweep] = time.monotonic()


def run_sweep(name: Task, *, is_tick: bool = False) -> None:
    """Run a sweep, unless this process is at it or has just been.

    A second run would take a thread to wait for the same rows. Of ticks that waited for a worker one is enough.
    """
    note_run(name)
    if is_tick and time.monotonic() - _began_at.get(name, float("-inf")) < SWEEPS[name].every / 2:
        return
    under_way = _under_way.setdefault(name, threading.Lock())
    if not under_way.acquire(blocking=False):
        return
    try:
        if time.monotonic() >= _rests_until.get(name, 0):
            _run(name, SWEEPS[name])
    finally:
        under_way.release()


def _run(name: Task, sweep: Sweep) -> None:
    started = _began_at[name] = time.monotonic()
    sweep.run(utcnow())
    # One that failed is run again as soon as it is asked for.
    ended = time.monotonic()
    _rests_until[name] = ended + min(sweep.rest * (ended - started), LONGEST_REST)


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
    for name, sweep in SWEEPS.items():
        if time.monotonic() - _last_run[name] > max(3 * sweep.every, SHORTEST_PATIENCE):
            _attempt(name, partial(run_sweep, name))


def _attempt(what: str, run: Callable[[], object]) -> None:
    try:
        run()
    except AWAY as error:
        log.warning("watch put off", what=what, reason=str(error))
    except Exception:
        log.exception("watch failed", what=what)
