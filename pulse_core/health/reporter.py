"""A thread in every process that says in the database, every few seconds, that the process lives.

Nothing waits for it, and nothing of the trading rests on what it writes.
"""

import os
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import cache
from importlib.metadata import version
from multiprocessing.util import Finalize

from api_contract.log import get_logger
from pulse_core import clock, db
from pulse_core.config import settings
from pulse_core.errors import DatabaseUnavailable
from pulse_core.health.settings_digest import digest, shared
from pulse_core.health.store import processes, sweep_runs
from pulse_core.health.store.processes import Identity, Vitals
from pulse_core.health.sweep_journal import SweepJournal, as_rows, journal
from pulse_core.health.vocabulary import ProcessKind
from pulse_core.postgres.handshake import newest_revision

log = get_logger(__name__)

PERIOD = 5.0
FORGET_EVERY = 720

LongestTask = Callable[[], float | None]


class Reporter:
    """Reports one process; `longest_task` tells for how many seconds its oldest task has been under way."""

    def __init__(self, who: Identity, longest_task: LongestTask, sweeps: SweepJournal) -> None:
        self._who = who
        self._longest_task = longest_task
        self._sweeps = sweeps
        self._ending = threading.Event()
        self._is_failing = False
        self._reports = 0

    def run(self) -> None:
        """Report until the process ends."""
        self.attempt(self.report)
        while not self._ending.wait(PERIOD):
            self.attempt(self.report)

    def report(self) -> None:
        """Say that the process lives, and how its sweeps went. Raises DatabaseUnavailable."""
        clock.utcnow()
        with db.statement() as connection:
            processes.report(connection, self._who, Vitals(clock.wall_ahead(), self._longest_task()))
        self._write_sweeps()
        if self._reports % FORGET_EVERY == 0:
            self.attempt(self._forget)
        self._reports += 1

    def end(self) -> None:
        """Say that the process ends as it should."""
        self._ending.set()
        with suppress(Exception), db.transaction() as session:
            processes.end(session, self._who.kind, self._who.id)

    def attempt(self, act: Callable[[], None]) -> None:
        """Whatever happens, the thread goes on; a fault that lasts is said once."""
        try:
            act()
        except DatabaseUnavailable as away:
            log.debug("report put off", reason=str(away))
        except Exception:
            if not self._is_failing:
                log.exception("report failed")
            self._is_failing = True
        else:
            self._is_failing = False

    def _write_sweeps(self) -> None:
        runs = self._sweeps.take()
        if not runs:
            return
        try:
            with db.statement() as connection:
                sweep_runs.note(connection, as_rows(runs))
        except BaseException:
            self._sweeps.put_back(runs)
            raise

    def _forget(self) -> None:
        before = clock.utcnow() - timedelta(hours=settings().retention_process_hours)
        with db.transaction() as session:
            processes.forget(session, before)


def start(kind: ProcessKind, longest_task: LongestTask = lambda: None) -> None:
    """Report this process from now on; asked for again, nothing more happens."""
    _start(os.getpid(), kind, longest_task)


@cache
def _start(pid: int, kind: ProcessKind, longest_task: LongestTask) -> None:
    reporter = Reporter(identity(pid, kind), longest_task, journal)
    threading.Thread(target=reporter.run, name="reporter", daemon=True).start()
    # Granian's workers end without what `atexit` knows; no forked child runs this.
    Finalize(None, reporter.end, exitpriority=100)


def identity(pid: int, kind: ProcessKind) -> Identity:
    """This process, under an id that no other has."""
    return Identity(
        id=secrets.token_hex(16),
        kind=kind,
        host=socket.gethostname(),
        pid=pid,
        version=version("pulse-execution"),
        schema_revision=newest_revision(),
        settings_digest=digest(settings()),
        shared_settings=shared(settings()),
    )
