"""How many requests are worked at once.

The server has a thread for each open stream. Without this, all of those threads would also take requests in a rush,
and each would be answered later than if some had waited.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WORKED_AT_ONCE = 16


class Concurrency:
    """Lets so many requests in at a time; one whose answer has begun, as a stream's has, is no longer counted."""

    def __init__(self, app: "WSGIApplication", most: int = WORKED_AT_ONCE) -> None:
        self._app = app
        self._free = BoundedSemaphore(most)
        self._came_at: dict[int, float] = {}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        thread = get_ident()
        self._came_at[thread] = time.monotonic()
        try:
            with self._free:
                return self._app(environ, start_response)
        finally:
            del self._came_at[thread]

    @contextmanager
    def left(self) -> Iterator[None]:
        """For a request that waits for its client: let another one in, and come back as if it had just come."""
        self._came_at[get_ident()] = float("inf")
        self._free.release()
        try:
            yield
        finally:
            self._came_at[get_ident()] = time.monotonic()
            self._free.acquire()

    def longest_wait(self) -> float:
        """For how many seconds the oldest request has waited for us, not for its client, to be answered."""
        return max(0.0, time.monotonic() - min(list(self._came_at.values()), default=float("inf")))
