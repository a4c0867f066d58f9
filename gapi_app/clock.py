"""The current time as pulse sends it on every answer: the database's, used by pulse and all gateways.

Until pulse has told it, which it does before any token is made or believed, it is the time of this machine.
"""

import re
import time
from collections.abc import Callable
from threading import Lock

import structlog

from gapi_app.metrics import CLOCK_AHEAD

HEADER = "Pulse-Time"
FARTHEST_OFF = 1.0
ALARM_AGAIN_AFTER = 600.0
# An answer that was on its way for long makes pulse look behind: the quickest of this time is believed.
BELIEVED_SECONDS = 10.0
_MILLISECONDS = re.compile(r"[0-9]{12,14}")
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

log = structlog.get_logger(__name__)


class PulseTime:
    """`steadily` is a clock that is never set, `wall` one that may have been."""

    def __init__(self, steadily: Callable[[], float], wall: Callable[[], float]) -> None:
        self._steadily = steadily
        self._wall = wall
        self._lock = Lock()
        self._offset: float | None = None
        self._learnt_at = self._said_at = float("-inf")
        self._was_off = False

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._wall() if self._offset is None else self._steadily() + self._offset

    def ahead(self) -> float | None:
        """How many seconds the wall clock is ahead of it; None while pulse has not told it."""
        return None if self._offset is None else self._wall() - self.now()

    def monotonic(self) -> float:
        """Seconds on the clock that nobody sets."""
        return self._steadily()

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        time.sleep(seconds)

    def learn(self, told: str | None, *, is_certain: bool = False) -> None:
        """Learn the time from an answer of pulse, in milliseconds; ignore what makes no sense."""
        if told is None or not _MILLISECONDS.fullmatch(told):
            return
        with self._lock:
            now = self._steadily()
            offset = int(told) / 1000 - now
            if not is_certain and self._is_known_better(offset, now):
                return
            self._offset, self._learnt_at = offset, now
            self._look(self._wall() - now - offset, now)

    def _is_known_better(self, offset: float, now: float) -> bool:
        is_recent = now - self._learnt_at < BELIEVED_SECONDS
        return is_recent and self._offset is not None and self._offset > offset

    def _look(self, seconds: float, now: float) -> None:
        CLOCK_AHEAD.set(seconds)
        was_off, self._was_off = self._was_off, abs(seconds) > FARTHEST_OFF
        if self._was_off and not was_off and now - self._said_at >= ALARM_AGAIN_AFTER:
            self._said_at = now
            log.error("clock off", seconds=round(seconds, 3))


def _boottime() -> float:
    return time.clock_gettime(_BOOTTIME)


def another_clock() -> PulseTime:
    """The time of a cell other than the default one: of no use but for what is asked there."""
    return PulseTime(_boottime, time.time)


pulse_time = PulseTime(_boottime, time.time)
now = pulse_time.now
learn = pulse_time.learn
