"""The current time: the database's, the same in every process of an installation, whatever its machine's clock says."""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from pulse_core import db
from pulse_core.boottime import boottime
from pulse_core.postgres.database_clock import DatabaseClock, Measurement

_NOW = select(func.extract("epoch", func.clock_timestamp()))


def utcnow() -> datetime:
    """The database's time. Raises DatabaseUnavailable in a process that has never reached it."""
    return datetime.fromtimestamp(_database.now(), UTC)


def is_steady() -> bool:
    """Whether measurements of the database's time agree; nothing may rest on it where they do not. Raises as above."""
    return _database.is_steady()


def last_known() -> float | None:
    """The database's time in seconds since the epoch, None where it was never measured. Never waits."""
    return _database.last_known()


def wall_ahead() -> float | None:
    """How many seconds this machine's wall clock is ahead of the database's; None as above. Never waits."""
    return _database.wall_ahead()


def by_wall_clock(at: datetime) -> datetime:
    """What this machine's wall clock will show then, as far as that is known. Never waits."""
    ahead = _database.wall_ahead()
    return at if ahead is None else at + timedelta(seconds=ahead)


class DatabaseTime:
    """The database's time and the machine's own, for whoever is handed a clock."""

    def now(self) -> float:
        """Seconds since the epoch. Raises DatabaseUnavailable in a process that has never reached the database."""
        return _database.now()

    def monotonic(self) -> float:
        """Seconds on a clock that nobody sets."""
        return boottime()

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        time.sleep(seconds)


def _measure() -> Measurement:
    with db.statement() as connection:
        asked_at = boottime()
        told = float(connection.execute(_NOW).scalar_one())
        return Measurement(told, asked_at, boottime())


_database = DatabaseClock(_measure, boottime, time.time)
