"""The one place that reads the wall clock."""

import time
from datetime import UTC, datetime


def utcnow() -> datetime:
    return datetime.now(UTC)


def boottime() -> float:
    """Seconds of a clock that is never set and goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
