"""The clock by which durations are measured that a sleeping machine must not shorten."""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """Seconds on a clock that is never set, and that keeps running while the machine sleeps."""
    return time.clock_gettime(_CLOCK)
