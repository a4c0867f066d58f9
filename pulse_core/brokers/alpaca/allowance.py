"""How many calls Alpaca says are left of the minute: what is read leaves some to what is placed and cancelled."""

import time
from collections.abc import Callable, Mapping
from threading import Lock

from pulse_core.brokers.port import RATE_LIMITED, BookUnavailable

# Of two hundred. Reading both books every second would use them all.
LEFT_TO_WRITES = 80
A_MINUTE = 60.0


class Allowance:
    """What the headers of the last answer said. Safe to use from many threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, clock: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self._clock = clock
        self._lock = Lock()
        self._left: int | None = None
        self._until = float("-inf")

    def note(self, headers: Mapping[str, str]) -> None:
        """Take what an answer says of it, if anything."""
        left, reset = headers.get("X-RateLimit-Remaining", ""), headers.get("X-RateLimit-Reset", "")
        if not left.isdecimal() or not reset.isdecimal():
            return
        # Its clock is not ours: no minute lasts longer than one.
        lasts = min(max(int(reset) - self._clock(), 0.0), A_MINUTE)
        with self._lock:
            self._left, self._until = int(left), self._monotonic() + lasts

    def check_reading(self) -> None:
        """Raise BookUnavailable while what is left is for writes."""
        with self._lock:
            is_short = self._left is not None and self._left < LEFT_TO_WRITES and self._monotonic() < self._until
        if is_short:
            raise BookUnavailable(RATE_LIMITED, f"fewer than {LEFT_TO_WRITES} calls of the minute are left")
