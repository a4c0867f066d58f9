"""How many requests are worked at once.

The server has a thread for each open stream. Without this, all of those threads would also take requests in a rush,
and each would be answered later than if some had waited.
"""

from collections.abc import Iterable
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WORKED_AT_ONCE = 16


class Gate:
    """Lets so many requests in at a time; one whose answer has begun, as a stream's has, is no longer counted."""

    def __init__(self, app: "WSGIApplication", most: int = WORKED_AT_ONCE) -> None:
        self._app = app
        self._free = BoundedSemaphore(most)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        with self._free:
            return self._app(environ, start_response)
