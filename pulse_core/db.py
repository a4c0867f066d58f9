"""Connections, transactions and the fence that keeps others off a slice.

Sessions are short: one transaction each, opened by a service, never open across a call to a broker.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import cast
from weakref import WeakSet

import psycopg2.errors
import psycopg2.extensions
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from api_contract.log import get_logger
from pulse_core.config import Settings, settings
from pulse_core.errors import DatabaseUnavailable, RowsLocked
from pulse_core.metrics import fences
from pulse_core.metrics.database import POOL_TIMEOUTS, UNAVAILABLE
from pulse_core.postgres import advisory, forks, lineage, poolers, prepared, urls

log = get_logger(__name__)

AWAY = "the database is not available"
MOST_OVERFLOW = 2
# One for all slices that a process sends, and those of sweeps and operators, each of which holds one slice.
FENCE_SESSIONS = 4

# Postgres lets the fence of a host that vanished go after 14 s.
_KEEPALIVES = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "12000",
}

_HELD_UP = (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected)

_proven: WeakSet[Engine] = WeakSet()
_making, _proving = threading.Lock(), threading.Lock()

_AFTER_COMMIT = "after_commit"


@dataclass(frozen=True)
class PoolStatus:
    """Connections that are in use, those that wait to be, and how many there may be."""

    in_use: int
    idle: int
    limit: int


class _Open(threading.local):
    transactions = 0


_open = _Open()


@dataclass
class _KeptTo:
    connections: int | None = None


_kept_to = _KeptTo()


def engine() -> Engine:
    """The engine of this process, for transactions and single statements: a pooler may share its sessions."""
    # Two threads that ask first at once must not get two, each with connections of its own.
    if not is_used():
        with _making:
            return _usual_engine()
    return _usual_engine()


def is_used() -> bool:
    """Whether this process has asked for the database."""
    return _usual_engine.cache_info().currsize > 0


def fence_engine() -> Engine:
    """The engine of the sessions that hold locks: the same one, unless they have a URL of their own."""
    if settings().fence_database_url is None:
        return engine()
    if not _direct_engine.cache_info().currsize:
        with _making:
            return _direct_engine()
    return _direct_engine()


@cache
def _usual_engine() -> Engine:
    return build_engine(settings(), _kept_to.connections)


@cache
def _direct_engine() -> Engine:
    config = settings()
    assert config.fence_database_url is not None  # noqa: S101
    return _engine(config, config.fence_database_url, FENCE_SESSIONS)


def keep_to(connections: int) -> None:
    """Have this process keep so many connections at most, and MOST_OVERFLOW for moments.

    Raises RuntimeError when it has opened one already: it would keep more.
    """
    if is_used():
        raise RuntimeError("this process has asked for the database before it was told how many connections to keep")
    _kept_to.connections = connections


def build_engine(config: Settings, connections: int | None = None) -> Engine:
    is_shared = config.fence_database_url is not None
    return _engine(config, config.database_url, connections or config.database_pool_size, is_shared=is_shared)


def _engine(config: Settings, url: SecretStr, connections: int, *, is_shared: bool = False) -> Engine:
    """`is_shared`: each transaction may be in another session, so nothing is set or prepared in any."""
    engine = create_engine(
        psycopg2_url(url.get_secret_value()),
        pool_size=connections,
        max_overflow=MOST_OVERFLOW,
        pool_timeout=2,
        # The one that was used last still has its statements prepared and its caches warm.
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 2,
            "application_name": "pulse",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        },
    )
    if not is_shared:
        event.listen(engine, "connect", partial(_set_up_session, _settings_of_transactions(config) | _KEEPALIVES))
    event.listen(engine, "checkin", _end_autocommit)
    forks.install(engine)
    prepared.install(engine, is_shared=is_shared)
    lineage.install(engine, fence_engine if is_shared else None)
    return engine


def _settings_of_transactions(config: Settings) -> dict[str, str]:
    """What Postgres shall do in a transaction of ours."""
    return {
        "statement_timeout": f"{config.database_statement_timeout * 1000:.0f}",
        "lock_timeout": f"{config.database_lock_timeout * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{config.lease * 1000:.0f}",
        "timezone": "UTC",
        "synchronous_commit": "on",
    }


def _set_up_session(settings: Mapping[str, str], driver_connection: DBAPIConnection, _record: object) -> None:
    # Said in the session, not in libpq's `options`: a proxy refuses those, or drops them without a word.
    connection = cast("psycopg2.extensions.connection", driver_connection)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join('set_config(%s, %s, false)' for _ in settings)}", sum(settings.items(), ()))
    connection.autocommit = False


def pool_status() -> PoolStatus:
    """How many connections this process has."""
    pool = engine().pool
    assert isinstance(pool, QueuePool)  # noqa: S101
    # Both are looked at one after the other.
    return PoolStatus(max(pool.checkedout(), 0), pool.checkedin(), pool.size() + MOST_OVERFLOW)


def psycopg2_url(database_url: str) -> str:
    """The same URL with the driver Pulse uses: SQLAlchemy would take `postgresql://` for psycopg 3."""
    return urls.engine_url(database_url).render_as_string(hide_password=False)


@contextmanager
def transaction(bind: Connection | None = None) -> Iterator[Session]:
    """One transaction, committed at the end of the block.

    Raises DatabaseUnavailable when Postgres is away, too busy or took too long; nothing is half-written then.
    """
    with availability(), Session(bind or engine(), expire_on_commit=False, autoflush=False) as session:
        with _counted(), session.begin():
            yield session
        for act in session.info.get(_AFTER_COMMIT, ()):
            act()


def after_commit(session: Session, act: Callable[[], None]) -> None:
    """Have this done once the session's transaction has committed, and never when it is rolled back."""
    session.info.setdefault(_AFTER_COMMIT, []).append(act)


def is_in_transaction() -> bool:
    """Whether this thread has a transaction open; what commits by itself is none."""
    return _open.transactions > 0


@contextmanager
def _counted() -> Iterator[None]:
    _open.transactions += 1
    try:
        yield
    finally:
        _open.transactions -= 1


@contextmanager
def statement() -> Iterator[Connection]:
    """A connection on which each statement commits by itself. Raises DatabaseUnavailable."""
    with availability(), engine().connect() as connection:
        autocommit(connection, True)
        with connection.begin():
            yield connection


class Fence:
    """A Postgres session that holds the advisory lock on a slice. It lives and dies with its connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction on the fenced connection: what it commits, it commits while the fence stands."""
        if not advisory.stands(self._connection):
            raise DatabaseUnavailable(AWAY)
        autocommit(self._connection, False)
        try:
            with transaction(self._connection) as session:
                yield session
        finally:
            if advisory.stands(self._connection):
                autocommit(self._connection, True)


@contextmanager
def fence(slice_id: str) -> Iterator[Fence | None]:
    """Hold the slice for this thread alone, or yield None when another one holds it, or is sending it.

    A stopped process keeps its fence, a killed one loses it together with its connection, and one whose connection was
    cut finds out at its next transaction. A forked child has none.
    """
    check_session()
    with availability(), fence_engine().connect() as connection:
        autocommit(connection, True)
        if not advisory.lock(connection, [slice_id]):
            yield None
            return
        number = fences.taken()
        try:
            yield Fence(connection)
        finally:
            fences.dropped(number)
            unlock(connection, [slice_id])


def unlock(connection: Connection, slice_ids: Sequence[str]) -> None:
    """Let go of these slices; where they were not held, sessions are looked at anew before the next fence."""
    if not advisory.unlock(connection, slice_ids):
        _proven.discard(fence_engine())


def check_session() -> None:
    """Raise SharedSession where a fence would guard nothing, DatabaseUnavailable where that cannot be seen now."""
    bind = fence_engine()
    with _proving:
        if bind not in _proven:
            _prove(bind)


def _prove(bind: Engine) -> None:
    config = settings()
    has_its_own = config.fence_database_url is not None
    try:
        poolers.check_session(_libpq_url(bind), poolers.DIRECT if has_its_own else poolers.SHARED)
        if has_its_own:
            poolers.check_shared(_libpq_url(engine()), _libpq_url(bind), _settings_of_transactions(config))
    except psycopg2.Error as error:
        raise DatabaseUnavailable(AWAY) from error
    _proven.add(bind)


def _libpq_url(bind: Engine) -> str:
    return bind.url.set(drivername="postgresql").render_as_string(hide_password=False)


def _end_autocommit(driver_connection: DBAPIConnection | None, _record: object) -> None:
    # Whoever takes it from the pool next must get a transaction when it asks for one.
    if driver_connection is not None and not driver_connection.closed:
        driver_connection.autocommit = False


def autocommit(connection: Connection, is_on: bool) -> None:
    """Whether each statement commits by itself. Raises DatabaseUnavailable."""
    # The driver's own switch: SQLAlchemy's isolation levels cost a round trip for each change.
    try:
        cast("psycopg2.extensions.connection", connection.connection.driver_connection).autocommit = is_on
    except psycopg2.Error as error:
        raise DatabaseUnavailable(AWAY) from error


def now(session: Session) -> datetime:
    """The instant by Postgres's clock."""
    at: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return at


def ping() -> None:
    """Raise DatabaseUnavailable unless Postgres answers."""
    with transaction() as session:
        session.execute(text("SELECT 1"))


@contextmanager
def availability() -> Iterator[None]:
    """Raise DatabaseUnavailable for whatever says that Postgres is away, too busy or took too long."""
    try:
        yield
    except PoolTimeout as error:
        POOL_TIMEOUTS.inc()
        raise _away() from error
    except (OperationalError, InterfaceError) as error:
        if isinstance(error, OperationalError) and isinstance(error.orig, _HELD_UP):
            raise RowsLocked(AWAY) from error
        raise _away() from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _away() from error
        raise


def _away() -> DatabaseUnavailable:
    UNAVAILABLE.inc()
    return DatabaseUnavailable(AWAY)
