"""Ctrl-C that is not lost."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Where it was lost, it comes again.
_AGAIN_AFTER_SECONDS = 0.3


@contextmanager
def heard_interrupts() -> Iterator[Callable[[], None]]:
    """Ctrl-C raises KeyboardInterrupt as always inside, and again where it was lost, until the block has ended.

    Python drops an exception that comes while it cleans up an object, which it does after each request. Calling what
    this yields raises it at once.
    """
    is_heard = False

    def hear(_number: int, _frame: object) -> None:
        nonlocal is_heard
        is_heard = True
        signal.signal(signal.SIGALRM, hear)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_AFTER_SECONDS)
        raise KeyboardInterrupt

    def check() -> None:
        if is_heard:
            raise KeyboardInterrupt

    before, alarm_before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    # Started in the background, a shell has it ignored.
    is_ours = before is signal.default_int_handler
    if is_ours:
        signal.signal(signal.SIGINT, hear)
    try:
        yield check
    finally:
        if is_heard:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, alarm_before)
        if is_ours:
            signal.signal(signal.SIGINT, before)
