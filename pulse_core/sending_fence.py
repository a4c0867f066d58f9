"""The fence of a process: one session that holds the locks of all slices that its threads are sending.

It is taken from the pool with the first slice and goes back with the last. A stopped process keeps its locks, a killed
one loses them all with the connection, and one whose connection was cut finds out at its next look, before it sends:
what that session held is sent no more, and what comes after is held by another one. A forked child has none.

Nobody asks for it while holding another connection, and nothing that waits for a lock is done on it.
"""

import os
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from weakref import WeakSet

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from pulse_core import db
from pulse_core.errors import DatabaseUnavailable
from pulse_core.metrics import fences
from pulse_core.postgres import advisory

# Nothing is sent by a thread that would wait longer, in seconds, for what others do on the session.
PATIENCE = 2.0


@dataclass(eq=False)
class _Session:
    """A session of Postgres and what it holds. Postgres itself would lock a slice twice for it."""

    connection: Connection
    held: set[str] = field(default_factory=set)


class _Process:
    """The session of this process for an engine, used by one thread at a time."""

    def __init__(self, bind: Engine) -> None:
        self._bind = bind
        self.start()
        _processes.add(self)

    def start(self) -> None:
        """Begin without a session: at first, and in a forked child, which must not wait for a thread of its parent."""
        self._mutex = threading.Lock()
        self._session: _Session | None = None

    @contextmanager
    def turn(self, patience: float = -1.0) -> Iterator[None]:
        """Use the session alone. Raises DatabaseUnavailable after so many seconds; without them it is waited for."""
        if not self._mutex.acquire(timeout=patience):
            raise DatabaseUnavailable(db.AWAY)
        try:
            yield
        finally:
            self._mutex.release()

    def take(self, slice_ids: Collection[str]) -> tuple[_Session, Sequence[str]]:
        """Lock those slices that nobody holds, another thread of this process included."""
        with self.turn(PATIENCE), db.availability():
            try:
                return self._lock(slice_ids)
            except DBAPIError as error:
                # A session that others use turns out to be lost: what it has not held yet loses nothing by that.
                if not (error.connection_invalidated and self._session is not None):
                    raise
            return self._lock(slice_ids)

    def release(self, session: _Session, slice_ids: Collection[str]) -> None:
        """Let go of slices; of a session that is gone already, too."""
        with self.turn():
            try:
                db.unlock(session.connection, list(slice_ids))
            finally:
                session.held.difference_update(slice_ids)
                self._give_back_unused(session)

    def _lock(self, slice_ids: Collection[str]) -> tuple[_Session, Sequence[str]]:
        session = self._standing()
        try:
            locked = advisory.lock(session.connection, [one for one in slice_ids if one not in session.held])
            session.held.update(locked)
        finally:
            self._give_back_unused(session)
        return session, locked

    def _standing(self) -> _Session:
        if self._session is None or not advisory.stands(self._session.connection):
            self._session = _Session(self._connect())
        return self._session

    def _connect(self) -> Connection:
        connection = self._bind.connect()
        try:
            db.autocommit(connection, True)
        except DatabaseUnavailable:
            connection.close()
            raise
        return connection

    def _give_back_unused(self, session: _Session) -> None:
        if session.held:
            return
        if self._session is session:
            self._session = None
        session.connection.close()


class SendingFence:
    """The slices that this thread alone may send, for as long as the session stands that they were locked in."""

    def __init__(self, process: _Process, session: _Session, slice_ids: Sequence[str]) -> None:
        self._process = process
        self._session = session
        self.slice_ids = tuple(slice_ids)

    def keep(self, slice_ids: Collection[str]) -> None:
        """Let go of every other slice."""
        dropped = [one for one in self.slice_ids if one not in slice_ids]
        self.slice_ids = tuple(one for one in self.slice_ids if one in slice_ids)
        if dropped:
            self._process.release(self._session, dropped)

    def check_stands(self) -> None:
        """Raise DatabaseUnavailable if it is known to be lost; nobody is asked."""
        if not advisory.stands(self._session.connection):
            raise DatabaseUnavailable(db.AWAY)

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """The very session that holds the locks, each statement committing by itself: while it answers, they stand.

        The other threads wait meanwhile. Raises DatabaseUnavailable.
        """
        with self._process.turn(PATIENCE):
            self.check_stands()
            with db.availability(), self._session.connection.begin():
                yield self._session.connection


@contextmanager
def fence_together(slice_ids: Iterable[str]) -> Iterator[SendingFence]:
    """Hold these slices for this thread alone, but those that another one holds. Raises DatabaseUnavailable."""
    db.check_session()
    process = _process_of(db.fence_engine())
    session, locked = process.take(dict.fromkeys(slice_ids))
    fence = SendingFence(process, session, locked)
    if not locked:
        yield fence
        return
    number = fences.taken()
    try:
        yield fence
    finally:
        fences.dropped(number)
        fence.keep(())


_processes: WeakSet[_Process] = WeakSet()


@cache
def _process_of(engine: Engine) -> _Process:
    return _Process(engine)


def _start_anew() -> None:
    for one in list(_processes):
        one.start()


os.register_at_fork(after_in_child=_start_anew)
