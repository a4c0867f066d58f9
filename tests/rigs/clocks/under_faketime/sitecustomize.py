"""Loaded by a Python process under libfaketime, in which no clock can be slept on: sleep without one."""

import select
import time


def sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select((), (), (), seconds)


time.sleep = sleep
