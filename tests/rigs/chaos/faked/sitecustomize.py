"""Found by every Python under libfaketime, whose own sleep until an instant fails when only the wall clock is moved."""

import select
import time


def _sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = _sleep
