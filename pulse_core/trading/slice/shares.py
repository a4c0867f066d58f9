"""The threads of this process that place slices: no broker account gets so many that none is left for another."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

# Of each account, as many messages as a worker may be given while one of its brokers hangs, and more.
MOST_ASIDE = 1000


def may_have_another(taken: int, free: int) -> bool:
    """Whether an account that has `taken` so many threads may take one of the `free` ones.

    As many must be left for others as it has then. So a first account gets half of all, a second half of the rest, and
    each gets one as long as there is any.
    """
    return free > taken + 1 or (taken == 0 and free > 0)


class Shares:
    """How many threads are with each account. Without `threads`, any number may be."""

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads
        self._taken: Counter[str] = Counter()
        self._aside: dict[str, deque[Sequence[str]]] = {}
        self._lock = Lock()

    def limit_to(self, threads: int) -> None:
        """Let there be so many threads."""
        self._threads = threads

    @contextmanager
    def share_of(self, broker_account: str, *, is_alone: bool) -> Iterator[bool]:
        """Take one thread for an account, for the block; False where it has its share. One that is alone has all."""
        with self._lock:
            is_given = is_alone or self._is_free_for(broker_account)
            self._taken[broker_account] += is_given
        try:
            yield is_given
        finally:
            with self._lock:
                self._taken[broker_account] -= is_given

    def put_aside(self, broker_account: str, slice_ids: Sequence[str]) -> None:
        """Remember slices that found no thread. Beyond MOST_ASIDE the oldest are forgotten, as messages may be."""
        with self._lock:
            self._aside.setdefault(broker_account, deque(maxlen=MOST_ASIDE)).append(slice_ids)

    def take_aside(self, broker_account: str) -> Sequence[Sequence[str]]:
        """What found no thread since this was last asked for."""
        with self._lock:
            return tuple(self._aside.pop(broker_account, ()))

    def _is_free_for(self, broker_account: str) -> bool:
        if self._threads is None:
            return True
        return may_have_another(self._taken[broker_account], self._threads - self._taken.total())


# Those of this process; a worker says how many it has.
shares = Shares()
