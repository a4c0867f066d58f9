"""What is wrong outside is said once a minute for each trouble, however often it is met.

A server that is away is met many times a second, by every thread, and each line would say the same.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from structlog.stdlib import BoundLogger

EVERY_SECONDS = 60.0
_MOST_KEPT = 200


class Troubles:
    """Remembers when each trouble was said last; `clock` gives seconds and is never set."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        # When it was said, and how often it was met since.
        self._said: dict[str, tuple[float, int]] = {}

    def meet(self, trouble: str) -> int | None:
        """How often it was met since it was said last, if it is to be said now; None if it was said within a minute."""
        now = self._clock()
        with self._lock:
            at, met = self._said.get(trouble, (now - EVERY_SECONDS, 0))
            if now - at < EVERY_SECONDS:
                self._said[trouble] = (at, met + 1)
                return None
            self._said.pop(trouble, None)
            self._said[trouble] = (now, 0)
            if len(self._said) > _MOST_KEPT:
                del self._said[next(iter(self._said))]
            return met

    def warn(self, log: BoundLogger, trouble: str, event: str, **fields: Any) -> None:
        """Log a warning, unless it was said within a minute; `unsaid` tells how often it was met meanwhile."""
        if (unsaid := self.meet(trouble)) is not None:
            log.warning(event, **fields, **({"unsaid": unsaid} if unsaid else {}))

    def forget(self) -> None:
        """Say each anew when it is met next."""
        with self._lock:
            self._said.clear()


# Of this process.
troubles = Troubles()
