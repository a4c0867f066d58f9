"""Runs sweeps in this process: none beside itself; it knows which are neglected."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from threading import Lock

from api_contract.clock import Clock
from pulse_core.clock import DatabaseTime
from pulse_core.health.sweep_journal import SweepJournal, journal
from pulse_core.metrics.sweeps import measured
from pulse_core.sweeps import SWEEPS, Sweep
from pulse_core.tasks import Task

SHORTEST_PATIENCE = 6.0
# A sweep that comes round every half minute would find the database away again and again where it often is.
AGAIN_AFTER_FAILURE = 3.0
# Whatever a look says: it asks with other words than the sweep itself.
LONGEST_UNRUN = 60.0
NEVER = float("-inf")


class SweepRunner:
    """`clock` tells when a sweep was run, and hands it the time; what came of it goes into `runs`."""

    def __init__(self, sweeps: Mapping[Task, Sweep], clock: Clock, runs: SweepJournal | None = None) -> None:
        self._sweeps = sweeps
        self._clock = clock
        self._runs = runs or SweepJournal()
        # A new process has run none: where processes end more often than a sweep comes round, it would never run.
        self._asked_at = dict.fromkeys(sweeps, NEVER)
        self._began_at = dict.fromkeys(sweeps, NEVER)
        self._left_out_at = dict.fromkeys(sweeps, NEVER)
        self._failed_at: dict[Task, float] = {}
        self._made_at = clock.monotonic()
        self._under_way: Mapping[Task, Lock] = {name: Lock() for name in sweeps}

    def run(self, name: Task, hint: str = "", *, is_tick: bool = False) -> None:
        """Run a sweep, unless this process is at it or has just been; a hint is taken all the same.

        A second run would take a thread to wait for the same rows. Of ticks that waited for a worker one is enough.
        """
        now = self._asked_at[name] = self._clock.monotonic()
        take_hint = self._sweeps[name].take_hint
        if hint and take_hint is not None:
            take_hint(hint)
        if is_tick and now - self._began_at[name] < self._sweeps[name].every / 2:
            return
        if not self._under_way[name].acquire(blocking=False):
            return
        try:
            self._run(name, self._sweeps[name])
        finally:
            self._under_way[name].release()

    def neglected(self) -> Sequence[Task]:
        """The sweeps that nobody has asked for of late, and those whose last run failed a while ago."""
        now = self._clock.monotonic()
        return [
            name
            for name, sweep in self._sweeps.items()
            if now - self._asked_at[name] > max(3 * sweep.every, SHORTEST_PATIENCE)
            or now - self._failed_at.get(name, now) > AGAIN_AFTER_FAILURE
        ]

    def leave_out_all_but(self, with_work: AbstractSet[Task]) -> None:
        """Take a look that found something for these sweeps only for a run of each of the others.

        But not where the last run failed, or is longer ago than a look is trusted.
        """
        now, at = self._clock.monotonic(), datetime.fromtimestamp(self._clock.now(), UTC)
        for name in self._sweeps.keys() - with_work:
            if name not in self._failed_at and now - self._began_at[name] <= self._longest_unrun(name):
                self._asked_at[name] = self._left_out_at[name] = now
                self._runs.note_success(name, at, at, 0)

    def lags(self) -> Mapping[Task, float]:
        """How many seconds ago each sweep last began or was left out, or this process began, beyond its period."""
        now = self._clock.monotonic()
        last = {name: max(self._began_at[name], self._left_out_at[name], self._made_at) for name in self._sweeps}
        return {name: max(now - last[name] - sweep.every, 0.0) for name, sweep in self._sweeps.items()}

    def _longest_unrun(self, name: Task) -> float:
        return max(3 * self._sweeps[name].every, LONGEST_UNRUN)

    def _run(self, name: Task, sweep: Sweep) -> None:
        started = self._began_at[name] = self._clock.monotonic()
        self._failed_at.pop(name, None)
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        try:
            with measured(name):
                found = sweep.run(now)
        except Exception as error:
            self._failed_at[name] = self._clock.monotonic()
            self._runs.note_failure(name, now, self._after(now, started), error)
            raise
        self._runs.note_success(name, now, self._after(now, started), found)

    def _after(self, now: datetime, started: float) -> datetime:
        return now + timedelta(seconds=self._clock.monotonic() - started)


runner = SweepRunner(SWEEPS, DatabaseTime(), journal)
