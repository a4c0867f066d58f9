"""Keeps a process that was held up from sending what it missed at once."""

import time
from collections import deque
from collections.abc import Callable
from threading import Lock

from pulse_core.brokers.port import NotSent


class PerSecondLimiter:
    """At most so many turns in any second, handed out in the order of asking; 0 sets it off.

    The broker counts by calendar second of a clock that we don't share. Any second of ours that holds the limit
    holds it by every clock. It counts for this process only: that all of them together keep the limits is the
    admission's business, and as long as calls go out in their turns nobody waits here.
    """

    def __init__(
        self,
        turns_per_second: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._turns_per_second = turns_per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._turns: deque[float] = deque(maxlen=turns_per_second)

    def wait_for_turn(self, seconds: float) -> None:
        """Reserve the next free turn and sleep until it comes. Raises NotSent when it is over `seconds` away."""
        if self._turns_per_second == 0:
            return
        pause = self._reserve(seconds)
        if pause > 0:
            self._sleep(pause)

    def _reserve(self, seconds: float) -> float:
        with self._lock:
            now = self._clock()
            is_free = len(self._turns) < self._turns_per_second
            turn = now if is_free else max(now, self._turns[0] + 1)
            if turn - now > seconds:
                raise NotSent("OWN_RATE_LIMIT", f"no room under {self._turns_per_second} orders a second")
            self._turns.append(turn)
            return turn - now
