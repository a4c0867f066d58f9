"""Messages as our workers read them.

Their instants are the database's, while Celery's timers go by the machine's clock. Tasks that send no events, which
sweeps are, send them when they fail.
"""

from datetime import datetime
from typing import Any

from celery.worker.request import Request

from api_contract.clock import Clock
from pulse_core.clock import DatabaseTime, by_wall_clock

FAILED = "task-failed"
# A sweep that goes on failing for one reason would push everything else off Flower's page.
SAME_AGAIN_AFTER = 60.0


class TimedRequest(Request):  # type: ignore[misc]
    """A message that comes due, and expires, by the database's clock."""

    _eta: datetime | None
    _expires: datetime | None

    def __init__(self, message: Any, **options: Any) -> None:
        super().__init__(message, **options)
        self._eta = self._eta and by_wall_clock(self._eta)
        self._expires = self._expires and by_wall_clock(self._expires)

    def send_event(self, event_type: str, **fields: Any) -> None:
        """Tell Flower, of a task that sends no events only when it failed."""
        if self.task.send_events:
            super().send_event(event_type, **fields)
        elif event_type == FAILED and self._hears_events() and news.is_new(self.name, fields["exception"]):
            # Flower learns a task's name and arguments from this one.
            about = {"name": self.name, "args": self.argsrepr, "kwargs": self.kwargsrepr}
            self.eventer.send("task-received", uuid=self.id, **about, retries=0, eta=None, expires=None)
            self.eventer.send(event_type, uuid=self.id, **fields)

    def _hears_events(self) -> bool:
        return bool(self.eventer and self.eventer.enabled)


class FailureNews:
    """Which failures are new: another reason than the last time, or a minute later."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: dict[str, tuple[str, float]] = {}

    def is_new(self, name: str, reason: str) -> bool:
        now = self._clock.monotonic()
        last_reason, told_at = self._last.get(name, ("", 0.0))
        if reason == last_reason and now - told_at < SAME_AGAIN_AFTER:
            return False
        self._last[name] = (reason, now)
        return True


news = FailureNews(DatabaseTime())
