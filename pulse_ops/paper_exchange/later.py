"""What the exchange does later, without a thread for each: whoever asked for it may be long gone."""

import heapq
import itertools
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, Thread

_MOST_WAITING = 10_000


class Later:
    """Calls one thing after the other from one thread of its own. What is waiting ends with the process."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Callable[[], str], Future[str]]] = []
        self._numbers = itertools.count()
        self._changed = Condition()
        Thread(target=self._keep_calling, name="later", daemon=True).start()

    def call(self, seconds: float, what: Callable[[], str]) -> Future[str]:
        """Call `what` in so many seconds, or at once when too much is waiting."""
        answer: Future[str] = Future()
        with self._changed:
            due = time.monotonic() + (seconds if len(self._waiting) < _MOST_WAITING else 0)
            heapq.heappush(self._waiting, (due, next(self._numbers), what, answer))
            self._changed.notify()
        return answer

    def _take(self) -> tuple[Callable[[], str], Future[str]]:
        with self._changed:
            while not self._waiting or self._waiting[0][0] > time.monotonic():
                self._changed.wait(self._waiting[0][0] - time.monotonic() if self._waiting else None)
            _due, _number, what, answer = heapq.heappop(self._waiting)
            return what, answer

    def _keep_calling(self) -> None:
        while True:
            what, answer = self._take()
            try:
                answer.set_result(what())
            except Exception as error:
                answer.set_exception(error)
