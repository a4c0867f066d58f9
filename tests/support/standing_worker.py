"""A worker in a process of its own that stands still on a slice's way to the broker and back, until it is let go on."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from pulse_core import clock, failpoints
from pulse_core.boottime import boottime
from pulse_core.brokers.port import NotSent, OutcomeUnknown, Placement
from pulse_core.trading.slice import sending
from pulse_core.trading.slice.execute import execute_slice
from tests.support.broker import SimulatedBroker
from tests.support.processes import wait_until

STANDS, DONE = "stands still", "done"


class Point(StrEnum):
    """Where it stands: the failpoints, and the time between the arrival of a request and its answer."""

    BEFORE_CLAIM = "execute.before_claim"
    AFTER_CLAIM = "execute.after_claim"
    BEFORE_WIRE = "execute.before_send"
    ON_WIRE = "on the wire"
    AFTER_ANSWER = "execute.after_send"
    RECORDING = "execute.before_record_commit"


@dataclass(frozen=True)
class Going:
    """How it goes on: after so many seconds by its clock, with an error, or as two processes."""

    seconds_later: float = 0.0
    fails: bool = False
    is_doubled: bool = False


class Failed(Exception):
    """What a worker that goes on with an error raises."""


@dataclass(frozen=True)
class StandingWorker:
    """Its requests arrive in the book of the test's broker."""

    pid: int
    _line: Connection
    _broker: SimulatedBroker

    def stands(self) -> None:
        """Return once it stands still."""
        assert self._hears(STANDS), "the worker did not come to this point"

    def go_on(self, going: Going | None = None) -> None:
        """Return once it has done with the slice. Its process is alive after that, with its connections."""
        self._line.send(going or Going())
        assert self._hears(DONE), "the worker did not come to an end"

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _hears(self, word: str) -> bool:
        while self._line.poll(60):
            said = self._line.recv()
            if not isinstance(said, Placement):
                return bool(said == word)
            self._line.send(self._broker.enter(said))
        return False


@contextmanager
def standing_worker(
    slice_id: str, point: Point, broker: SimulatedBroker, begin: Callable[[], object] = lambda: None
) -> Iterator[StandingWorker]:
    """One that stands still at this point of the slice's way; `begin` is what its process does first."""
    ours, theirs = Pipe()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            begin()
            _work(slice_id, point, broker, theirs)
        finally:
            os._exit(0)
    theirs.close()
    with closing(ours):
        worker = StandingWorker(pid, ours, broker)
        try:
            worker.stands()
            yield worker
        finally:
            worker.kill()


def _work(slice_id: str, point: Point, broker: SimulatedBroker, line: Connection) -> None:
    worker = os.getpid()

    def stand_still() -> None:
        failpoints.actions.clear()
        line.send(STANDS)
        _go_on(line.recv())

    def place(placement: Placement, not_after: float) -> str:
        if boottime() > not_after:
            raise NotSent("LATE", "its time is over")
        line.send(placement)
        broker_order_id: str = line.recv()
        if point is Point.ON_WIRE:
            stand_still()
        if point is Point.RECORDING:
            # What is acknowledged is recorded by one statement, in which nothing can stand still.
            raise OutcomeUnknown("TIMEOUT", "no answer within 7 s")
        return broker_order_id

    broker.place = place  # type: ignore[method-assign]
    # How long it stands is for the test to say.
    sending.LOOK_LASTS = 3600.0
    failpoints.actions[point] = stand_still
    # A machine that was held up for a while finds the database's clock moved, and sends nothing until it is sure.
    wait_until(clock.is_steady, 20, "a steady clock")
    with suppress(Exception):
        execute_slice(slice_id)
    if os.getpid() == worker:
        line.send(DONE)
        line.recv()


def _go_on(going: Going) -> None:
    tell = time.clock_gettime
    time.clock_gettime = lambda which: tell(which) + going.seconds_later
    if going.is_doubled and (double := os.fork()):
        os.waitpid(double, 0)
    if going.fails:
        raise Failed
