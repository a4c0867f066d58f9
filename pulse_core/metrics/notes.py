"""What is counted on an order's way is put down there, and added to its metrics later, much of it at once.

To add to a metric takes a microsecond, but ten in the middle of other work: after a call of the database or the broker
its code and its values have left the caches of the processor. To put something down takes a fraction of that.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

# So much is added up by whoever puts down the last of it, wherever nobody asks for metrics.
MOST = 500

_put_down: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()


def put_down(add: Callable[..., object], *amounts: Any) -> None:
    """Have `add` called with these before anybody sees a metric. Any thread may."""
    _put_down.append((add, amounts))
    if len(_put_down) >= MOST:
        add_up()


def add_up() -> None:
    """Add what was put down until now. Call it before metrics are shown."""
    # Another thread may take the last one.
    with suppress(IndexError):
        while _put_down:
            add, amounts = _put_down.popleft()
            add(*amounts)
