"""The last run of each sweep in this process, kept in memory until the reporter writes it down.

So a sweep that runs every second costs the database nothing more.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from api_contract.errors import PulseError
from pulse_core.brokers.port import BrokerError


@dataclass(frozen=True)
class SweepRun:
    """A run by the database's clock; `found` is None where it failed, and the last three are None where it did not.

    The code of a broker's error begins with `BROKER_`.
    """

    sweep: str
    started_at: datetime
    ended_at: datetime
    seconds: float
    found: int | None
    failing_since: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None


class SweepJournal:
    """Safe to be used by many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._failing_since: dict[str, datetime] = {}
        self._unwritten: dict[str, SweepRun] = {}

    def note_success(self, sweep: str, started_at: datetime, ended_at: datetime, found: int) -> None:
        """Remember a run that went well."""
        seconds = (ended_at - started_at).total_seconds()
        with self._lock:
            self._failing_since.pop(sweep, None)
            self._unwritten[sweep] = SweepRun(sweep, started_at, ended_at, seconds, found)

    def note_failure(self, sweep: str, started_at: datetime, ended_at: datetime, error: Exception) -> None:
        """Remember a run that failed, and since when all have."""
        seconds, (code, message) = (ended_at - started_at).total_seconds(), _told(error)
        with self._lock:
            since = self._failing_since.setdefault(sweep, started_at)
            self._unwritten[sweep] = SweepRun(sweep, started_at, ended_at, seconds, None, since, code, message)

    def take(self) -> Sequence[SweepRun]:
        """The runs that were not taken before, one of each sweep."""
        with self._lock:
            taken, self._unwritten = self._unwritten, {}
        return list(taken.values())

    def put_back(self, runs: Sequence[SweepRun]) -> None:
        """Keep runs that could not be written, unless there were others since."""
        with self._lock:
            self._unwritten = {one.sweep: one for one in runs} | self._unwritten


def as_rows(runs: Sequence[SweepRun]) -> list[dict[str, Any]]:
    return [asdict(one) for one in runs]


def _told(error: Exception) -> tuple[str, str]:
    """A code and a sentence without a secret: what any other exception says is not known to hold none."""
    if isinstance(error, BrokerError):
        return f"BROKER_{error.code}", error.message
    if isinstance(error, PulseError):
        return error.code, error.message
    return type(error).__name__, "see the log of the worker"


journal = SweepJournal()
