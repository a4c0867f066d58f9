"""The database's time, known without asking each time: measured now and then, carried on by a clock of this machine."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread

from api_contract.log import get_logger
from pulse_core.errors import DatabaseUnavailable

log = get_logger(__name__)

EVERY, EVERY_WHILE_UNSTEADY = 2.0, 0.5
# Two clocks of good machines part by less than 10 ms in this time; beyond it a caller waits for a new measurement.
LONGEST_BELIEVED = 30.0
LONGEST_ROUND_TRIP = 0.5
FARTHEST_OFF = 0.5
KEPT = 5
AGREEING = 3
ALARM_AGAIN_AFTER = 600.0


@dataclass(frozen=True)
class Measurement:
    """What the database said (seconds since the epoch), and when it was asked and heard by the machine's own clock."""

    told: float
    asked_at: float
    heard_at: float

    @property
    def offset(self) -> float:
        """How far the database's time is from the machine's own clock, wrong by half the round trip at most."""
        return self.told - (self.asked_at + self.heard_at) / 2

    @property
    def round_trip(self) -> float:
        return self.heard_at - self.asked_at

    @property
    def is_good(self) -> bool:
        return self.round_trip <= LONGEST_ROUND_TRIP

    def contradicts(self, other: "Measurement") -> bool:
        """Whether no one offset can have led to both."""
        return abs(self.offset - other.offset) > max(FARTHEST_OFF, (self.round_trip + other.round_trip) / 2)


class DatabaseClock:
    """`measure` asks the database, `steadily` is a clock that is never set, `wall` one that may have been."""

    def __init__(
        self, measure: Callable[[], Measurement], steadily: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self._measure = measure
        self._steadily = steadily
        self._wall = wall
        self._alarm = _WallAlarm(wall, steadily)
        self._lock = Lock()
        self._tried_at = self._heard_at = float("-inf")
        self._recent: tuple[Measurement, ...] = ()
        self._best: Measurement | None = None
        self._to_agree = 0

    def now(self) -> float:
        """Seconds since the epoch. Raises DatabaseUnavailable where it was never measured."""
        best = self._kept_fresh()
        return self._steadily() + best.offset

    def is_steady(self) -> bool:
        """Whether the last measurements agree. Raises DatabaseUnavailable where there is none."""
        self._kept_fresh()
        return self._to_agree == 0

    def last_known(self) -> float | None:
        """The same as `now`, but without ever waiting; None where it was never measured."""
        best = self._best
        return None if best is None else self._steadily() + best.offset

    def wall_ahead(self) -> float | None:
        """How many seconds the wall clock is ahead of the database's. Never waits; None where it was never measured."""
        known = self.last_known()
        return None if known is None else self._wall() - known

    def _kept_fresh(self) -> Measurement:
        best, now = self._best, self._steadily()
        if best is None:
            return self._take()
        if now - self._tried_at < (EVERY_WHILE_UNSTEADY if self._to_agree else EVERY):
            return best
        # Whoever comes meanwhile goes on with what is known.
        self._tried_at = now
        if now - self._heard_at > LONGEST_BELIEVED:
            self._try_again()
        else:
            # Not by the caller, who may be about to send something, or hold the last connection.
            Thread(target=self._try_again, name="database clock", daemon=True).start()
        return self._best or best

    def _try_again(self) -> None:
        # While the database is away, what was measured before goes on.
        with suppress(DatabaseUnavailable):
            self._take()

    def _take(self) -> Measurement:
        new = self._measure()
        with self._lock:
            self._tried_at = self._heard_at = new.heard_at
            best = self._best = self._chosen(new)
            if new.is_good:
                self._alarm.look(new.offset)
            return best

    def _chosen(self, new: Measurement) -> Measurement:
        last = self._recent[-1] if self._recent else None
        if last is not None and new.contradicts(last):
            # The database is another one or its clock was set, or this machine was held without knowing.
            log.error("database clock moved", seconds=round(new.offset - last.offset, 3))
            self._recent, self._to_agree = (new,), AGREEING - 1
            return new
        if last is None or new.is_good or not last.is_good:
            kept = [one for one in self._recent if one.is_good or not new.is_good]
            self._recent = (*kept, new)[-KEPT:]
            self._to_agree = max(self._to_agree - 1, 0)
        return min(self._recent, key=lambda one: one.round_trip)


class _WallAlarm:
    """Says that the machine's wall clock is off, once until it is right again, and seldom."""

    def __init__(self, wall: Callable[[], float], steadily: Callable[[], float]) -> None:
        self._wall = wall
        self._steadily = steadily
        self._was_off = False
        self._said_at = float("-inf")

    def look(self, offset: float) -> None:
        now = self._steadily()
        seconds = self._wall() - (now + offset)
        was_off, self._was_off = self._was_off, abs(seconds) > FARTHEST_OFF
        if self._was_off and not was_off and now - self._said_at >= ALARM_AGAIN_AFTER:
            self._said_at = now
            log.error("clock off", seconds=round(seconds, 3))
