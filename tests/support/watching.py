"""One look of the watch, to its end."""

from collections.abc import Callable
from types import ModuleType

THREADS = 16


def look(watch: ModuleType, idle_threads: Callable[[], int] = lambda: THREADS) -> None:
    """Have the watch take what is overdue, and wait until that is done."""
    hands = watch.Hands(idle_threads)
    watch.execute_overdue(hands)
    hands.wait()
