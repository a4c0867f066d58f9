"""A rate limit of our own, so that the broker's is not run into."""

import time
from collections.abc import Callable
from threading import Lock

from pulse_core.brokers.base import NotSent


class PerSecondLimiter:
    """At most so many turns in each calendar second, handed out in the order of asking; 0 sets it off.

    It counts for this process only: processes that share an account divide its limit among themselves.
    """

    def __init__(
        self,
        turns_per_second: int,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._turns_per_second = turns_per_second
        self._clock = clock or _steady_wall_clock()
        self._sleep = sleep
        self._lock = Lock()
        self._second = 0
        self._taken = 0

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
            second, taken = self._next_turn(int(now))
            pause = second - now
            if pause > seconds:
                raise NotSent("OWN_RATE_LIMIT", f"no room under {self._turns_per_second} orders a second")
            self._second, self._taken = second, taken
            return pause

    def _next_turn(self, this_second: int) -> tuple[int, int]:
        if this_second > self._second:
            return this_second, 1
        if self._taken < self._turns_per_second:
            return self._second, self._taken + 1
        return self._second + 1, 1


def _steady_wall_clock() -> Callable[[], float]:
    # The seconds of the wall clock, without its jumps: a clock set back would stall every order.
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()
