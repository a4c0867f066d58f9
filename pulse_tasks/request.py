"""Messages as our workers read them: their instants are the database's, Celery's timers go by the machine's clock."""

from datetime import datetime
from typing import Any

from celery.worker.request import Request

from pulse_core.clock import by_wall_clock


class TimedRequest(Request):  # type: ignore[misc]
    """A message that comes due, and expires, by the database's clock."""

    _eta: datetime | None
    _expires: datetime | None

    def __init__(self, message: Any, **options: Any) -> None:
        super().__init__(message, **options)
        self._eta = self._eta and by_wall_clock(self._eta)
        self._expires = self._expires and by_wall_clock(self._expires)
