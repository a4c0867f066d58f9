"""Keeps every process of a stack running, and ends all of them together.

Runs in the main thread alone: on Linux a child ends with the thread that started it.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pulse_core.backoff import backoff
from pulse_ops.stack.child import Child, Program
from pulse_ops.stack.errors import StackError
from pulse_ops.stack.logs import LogFile

STEADY_SECONDS = 60.0
CHILDREN_SECONDS = 9.0
SERVERS_SECONDS = 4.0
_TURN_SECONDS = 0.2
_REPORT_EVERY_SECONDS = 5.0

Say = Callable[[str], None]


class Stopped(Exception):
    """Somebody asked the stack to end."""


@dataclass
class Supervised:
    child: Child
    log: LogFile
    restarts: int = 0
    failures: int = 0
    start_at: float | None = None

    @property
    def name(self) -> str:
        return self.child.program.name


class Supervisor:
    """`say` shows one line to the person at the terminal; `longest_pause` (seconds) bounds the wait for a restart."""

    def __init__(self, logs: Path, say: Say, is_verbose: bool = False, longest_pause: float = 30.0) -> None:
        self._logs = logs
        self._say = say
        self._is_verbose = is_verbose
        self._longest_pause = longest_pause
        self._is_stopping = False
        self.supervised: list[Supervised] = []

    def stop_on_signals(self) -> None:
        """From now on Ctrl-C and SIGTERM end the stack."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: self.ask_to_stop())

    def ask_to_stop(self) -> None:
        """End `start` with Stopped, and `run`, at their next turn."""
        self._is_stopping = True

    def start(self, programs: list[Program], patience: float) -> None:
        """Start these and wait until all are ready; an infinite `patience` waits while they live.

        Raises StackError when one ends or is not ready in time, Stopped on a signal.
        """
        started = [self._add(program) for program in programs]
        began = said = time.monotonic()
        waiting = started
        while waiting:
            self._check_started(waiting, began, patience)
            waiting = [one for one in waiting if not one.child.is_ready()]
            if waiting and time.monotonic() - said > _REPORT_EVERY_SECONDS:
                said = time.monotonic()
                self._say(f"still starting after {said - began:.0f} s: {', '.join(one.name for one in waiting)}")
            self._pause()

    def run(self, changed: Callable[[], None]) -> None:
        """Watch and restart until a signal comes; `changed` is called after every end and start of a process."""
        while not self._is_stopping:
            revived = [self._revive(one) for one in self.supervised]
            if any(revived):
                changed()
            self._show_logs()
            time.sleep(_TURN_SECONDS)

    def stop(self, servers: int) -> None:
        """End everything; the first `servers` processes only after the others, which need them to the last."""
        first, last = self.supervised[servers:], self.supervised[:servers]
        for group, seconds in ((first, CHILDREN_SECONDS), (last, SERVERS_SECONDS)):
            for one in reversed(group):
                one.child.ask_to_stop()
            ends_at = time.monotonic() + seconds
            for one in reversed(group):
                if not one.child.wait(ends_at - time.monotonic()):
                    self._say(f"{one.name} did not end in time and was killed")
                one.child.kill()

    def _add(self, program: Program) -> Supervised:
        path = self._logs / f"{program.name}.log"
        one = Supervised(Child(program, path), LogFile(program.name, path))
        self.supervised.append(one)
        one.child.start()
        return one

    def _check_started(self, waiting: list[Supervised], began: float, patience: float) -> None:
        for one in waiting:
            # A Ctrl-C that the child got first is no failure of the child.
            if not one.child.is_alive() and not self._is_stopping:
                raise StackError(_why_not_started(one.child))
        if time.monotonic() - began > patience:
            raise StackError(
                f"{waiting[0].name} was not ready after {patience:.0f} s: see {waiting[0].child.log_path}."
            )

    def _pause(self) -> None:
        if self._is_stopping:
            raise Stopped
        self._show_logs()
        time.sleep(_TURN_SECONDS / 4)

    def _revive(self, one: Supervised) -> bool:
        if one.child.is_alive():
            if one.failures and time.time() - one.child.started_at > STEADY_SECONDS:
                one.failures = 0
            return False
        if one.start_at is None:
            self._plan_restart(one)
            return True
        if time.monotonic() < one.start_at:
            return False
        one.start_at = None
        one.restarts += 1
        self._restart(one)
        return True

    def _plan_restart(self, one: Supervised) -> None:
        how = _how_it_ended(one.child.exit_code)
        one.child.kill()
        pause = pause_before(one.failures, self._longest_pause)
        one.failures += 1
        one.start_at = time.monotonic() + pause
        when = f"in {pause:.0f} s" if pause else "now"
        self._say(f"{one.name} {how}; starting it again {when} (log: {one.child.log_path})")

    def _restart(self, one: Supervised) -> None:
        try:
            one.child.start()
        except (StackError, OSError) as error:
            pause = pause_before(one.failures, self._longest_pause)
            one.failures += 1
            one.start_at = time.monotonic() + pause
            self._say(f"{one.name} could not be started, again in {pause:.0f} s: {error}")

    def _show_logs(self) -> None:
        for one in self.supervised:
            for line in one.log.news(self._is_verbose):
                self._say(line)
            one.log.bound()


def pause_before(failures: int, longest: float) -> float:
    """Seconds before the next start after `failures` earlier ones: at once, 1, 2, 4 ... up to the longest."""
    return backoff(failures, longest).total_seconds() if failures else 0.0


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"


def _why_not_started(child: Child) -> str:
    tail = child.log_tail(40)
    where = f"see {child.log_path}"
    if "No space left on device" in tail:
        return f"{child.program.name} did not start, the disk is full: free some space, or use another with --data-dir."
    if "ddress already in use" in tail:
        return (
            f"{child.program.name} did not start, its port was taken a moment ago: start again, or choose another port."
        )
    return f"{child.program.name} did not start ({_how_it_ended(child.exit_code)}): {_gist(tail)[:300]} - {where}."


def _gist(tail: str) -> str:
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line or "FATAL" in line or "cannot" in line]
    return next(reversed(telling or lines), "it wrote nothing")
