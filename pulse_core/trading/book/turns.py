"""Turns at the broker's book: of all processes one reads it for working slices at a time, and then all of them rest.

A turn saves the broker, Postgres and us the work of reading the same again. No promise rests on it: whatever is read
is settled under locks, so two readers at once do no harm, and one that was stopped may go on when its turn is over.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from threading import Semaphore
from time import thread_time
from uuid import uuid4

from pulse_core import db
from pulse_core.boottime import boottime
from pulse_core.errors import DatabaseUnavailable
from pulse_core.trading.store import book_turns
from pulse_core.trading.store.book_turns import Pauses

# A reader that was killed, stopped or cut off keeps the others waiting for so long.
LEASE = timedelta(seconds=5)
# In a rush every fill is a hint. Reading a long book for each would leave time for nothing else.
REST = 1.0
# Where the books of many accounts are read side by side, all of it takes less than a third of a core, whatever else
# has to wait for one: each reading comes so many times its own CPU after the one before.
CPU_REST = 3.0
# But never later than this: the first reading of a long book takes many times as much as those after it.
LONGEST_SPACING = timedelta(seconds=2)
# Of a fill nobody knows for so long at most. The looks for what is in doubt stay closer than `absences.LONGEST_PAUSE`.
LONGEST_REST = timedelta(seconds=5)
NO_SPACING = timedelta(0)
# So many whole books are read at a time by a process: side by side each would take as long as all of them together, and
# be rested for as long. Who has waited for PATIENCE seconds reads all the same: brokers that hang hold up no other.
AT_ONCE = 3
PATIENCE = 2.0


class Turn:
    """A reading that is ours alone for now. The next may begin `spacing` after this one did, whatever the rest."""

    def __init__(self, broker: str, holder: str) -> None:
        self.spacing = NO_SPACING
        self._broker = broker
        self._holder = holder
        self._kept_at = boottime()

    def keep(self) -> None:
        """Say that we are still at it; cheap enough for every step."""
        if boottime() - self._kept_at < LEASE.total_seconds() / 3:
            return
        with db.statement() as connection:
            book_turns.keep(connection, self._broker, self._holder, _pauses())
        self._kept_at = boottime()

    def give_back(self, rest: float) -> None:
        """Let others read, after `rest` times what this turn took. A turn that cannot be given back runs out."""
        with suppress(DatabaseUnavailable), db.statement() as connection:
            book_turns.give_back(connection, self._broker, self._holder, _pauses(), rest, self.spacing)


@contextmanager
def turn(broker: str, among: int = 1, *, is_whole: bool = True) -> Iterator[Turn | None]:
    """The turn at this broker's book, given back at the end of the block; None when it is not ours to read now.

    The more books are read side by side, `among` how many, the farther apart the readings of each are. Of a book that
    is not read as a whole only a few orders are looked up.
    """
    with _place() if is_whole else nullcontext():
        taken = _take(broker, is_seized=False)
        if taken is None:
            yield None
            return
        with _given_back(taken), _spaced(taken, among):
            yield taken


@contextmanager
def seized_turn(broker: str) -> Iterator[None]:
    """The turn at this broker's book, taken from whoever has it, for a reading that must not wait for its rest."""
    with _place():
        taken = _take(broker, is_seized=True)
        with _given_back(taken) if taken is not None else nullcontext():
            yield


_places = Semaphore(AT_ONCE)


@contextmanager
def _place() -> Iterator[None]:
    is_given = _places.acquire(timeout=PATIENCE)
    try:
        yield
    finally:
        if is_given:
            _places.release()


def _take(broker: str, *, is_seized: bool) -> Turn | None:
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}"
    with db.statement() as connection:
        is_ours = book_turns.take(connection, broker, holder, _pauses(), is_seized=is_seized)
    return Turn(broker, holder) if is_ours else None


@contextmanager
def _given_back(taken: Turn) -> Iterator[None]:
    try:
        yield
    except BaseException:
        # Whatever failed, the next reading need not wait.
        taken.give_back(0)
        raise
    taken.give_back(REST)


@contextmanager
def _spaced(taken: Turn, among: int) -> Iterator[None]:
    began = thread_time()
    yield
    needed = timedelta(seconds=CPU_REST * among * (thread_time() - began))
    taken.spacing = max(taken.spacing, min(needed, LONGEST_SPACING))


def _pauses() -> Pauses:
    return Pauses(LEASE, LONGEST_REST)
