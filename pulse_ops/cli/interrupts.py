"""Ctrl-C that is not lost."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def heard_interrupts() -> Iterator[Callable[[], None]]:
    """Ctrl-C raises KeyboardInterrupt as always inside; calling what this yields raises it again where it was lost.

    Python drops an exception that comes while it cleans up an object, which it does after each request.
    """
    is_heard = False

    def hear(_number: int, _frame: object) -> None:
        nonlocal is_heard
        is_heard = True
        raise KeyboardInterrupt

    def check() -> None:
        if is_heard:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    # Started in the background, a shell has it ignored.
    is_ours = before is signal.default_int_handler
    if is_ours:
        signal.signal(signal.SIGINT, hear)
    try:
        yield check
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, before)
