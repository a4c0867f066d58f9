"""Bodies are read before any work is done, outside of the gate: a client that sends slowly holds up nobody else."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from flask import Flask, Response, g, request

from api_contract.bulkheads import place_left
from api_contract.errors import RateLimited
from gapi_app.guard.concurrency import Concurrency
from gapi_app.guard.limits import account_or_network

# Each waits in a thread of the server, which has that many to spare.
READ_AT_ONCE, READ_AT_ONCE_FOR_ONE = 96, 24
_RETRY_SECONDS = 2
# One that comes all the same is left where it is.
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")


class Places:
    """How many bodies may be on their way, in all and for each account or address."""

    def __init__(self, most: int = READ_AT_ONCE, most_for_one: int = READ_AT_ONCE_FOR_ONE) -> None:
        self._most = most
        self._most_for_one = most_for_one
        self._taken: Counter[str] = Counter()
        self._total = 0
        self._lock = Lock()

    @property
    def are_scarce(self) -> bool:
        """Whether those who take long should go."""
        return self._total > self._most_for_one // 2

    @contextmanager
    def take(self, who: str) -> Iterator[None]:
        """Hold a place. Raises RateLimited when there is none."""
        with self._lock:
            if self._total >= self._most or self._taken[who] >= self._most_for_one:
                what = "too many requests are being sent at once and have not arrived"
                raise RateLimited(what, _RETRY_SECONDS, {"limit": self._most_for_one})
            self._taken[who] += 1
            self._total += 1
        try:
            yield
        finally:
            with self._lock:
                self._total -= 1
                self._taken[who] -= 1
                if not self._taken[who]:
                    del self._taken[who]


def read_bodies_first(app: Flask, gate: Concurrency) -> Places:
    """Have the whole body of a request before its view is called."""
    places = Places()

    @app.before_request
    def read_body() -> None:
        if request.method in _WITHOUT_BODY or not _has_body():
            return
        with places.take(account_or_network()), place_left():
            gate.stop_clock()
            try:
                request.get_data()
            finally:
                gate.start_clock()
        g.is_body_read = True

    @app.after_request
    def close_what_was_not_read(response: Response) -> Response:
        # The next request would begin in the middle of this one's body: the server closes, and the client must know.
        if _has_body() and "is_body_read" not in g:
            response.headers["Connection"] = "close"
        return response

    return places


def _has_body() -> bool:
    return bool(request.content_length) or "Transfer-Encoding" in request.headers
