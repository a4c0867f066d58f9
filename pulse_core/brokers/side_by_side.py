"""Do the same for several broker accounts side by side: one whose broker hangs holds up no other.

Whoever asks waits for a moment. What takes longer goes on by itself, is not begun again before it is over, and is told
of the next time.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from threading import Lock

from api_contract.log import get_logger
from pulse_core.brokers.port import BookUnavailable
from pulse_core.errors import DatabaseUnavailable

log = get_logger(__name__)

# So long an account that hangs holds up the others, in seconds, and only when it begins to.
PATIENCE = 1.0
# More than there are accounts times what is done for each of them; as many threads as are needed are made.
MOST_THREADS = 256


def run(what: str, deeds: Mapping[str, Callable[[], int]], patience: float | None) -> int:
    """Do this for each account by name, and add up what came of those that are over within so many seconds; None: all.

    `what` tells it from other things that are done for the same accounts. An account that is still at it is left out.
    Raises the first error there was, DatabaseUnavailable before others. One that is alone and waited for is seen to by
    this thread.
    """
    if len(deeds) == 1 and patience is None:
        return sum(deed() for deed in deeds.values())
    keys = [(what, name) for name in deeds]
    late = _take_ended(keys)
    begun = _begin([(key, deed) for key, deed in zip(keys, deeds.values(), strict=True)])
    wait(begun, timeout=patience)
    return _sum([*late, *_take_ended(keys)])


_Key = tuple[str, str]
_lock = Lock()
_under_way: dict[_Key, Future[int]] = {}


def _begin(deeds: Sequence[tuple[_Key, Callable[[], int]]]) -> Sequence[Future[int]]:
    begun = []
    with _lock:
        for key, deed in deeds:
            if key not in _under_way:
                _under_way[key] = _threads().submit(copy_context().run, deed)
                begun.append(_under_way[key])
    return begun


def _take_ended(keys: Sequence[_Key]) -> Sequence[tuple[_Key, Future[int]]]:
    with _lock:
        ended = [key for key in keys if key in _under_way and _under_way[key].done()]
        return [(key, _under_way.pop(key)) for key in ended]


def _sum(ended: Sequence[tuple[_Key, Future[int]]]) -> int:
    failed: dict[_Key, BaseException] = {}
    for key, one in ended:
        if (error := one.exception()) is not None:
            failed[key] = error
            _tell(key, error)
    if failed:
        raise min(failed.values(), key=lambda error: not isinstance(error, DatabaseUnavailable))
    return sum(one.result() for _, one in ended)


def _tell(key: _Key, error: BaseException) -> None:
    if not isinstance(error, DatabaseUnavailable | BookUnavailable):
        what, broker_account = key
        log.error("broker account left out", what=what, broker_account=broker_account, exc_info=error)


@cache
def _threads() -> Executor:
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="account")


def _forget_all() -> None:
    # A forked child has none of the threads.
    global _lock
    _lock = Lock()
    _under_way.clear()
    _threads.cache_clear()


os.register_at_fork(after_in_child=_forget_all)
