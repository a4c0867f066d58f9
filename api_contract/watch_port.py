"""What tells how a service is doing, on a port of its own: `/ready` and `/metrics`, each made once a second at most.

Both are dear, and open to whoever reaches the port: they take no thread of the server's, and as little as can be of the
interpreter.
"""

import errno
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, socket
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from api_contract.errors import PulseError, ServiceUnavailable
from api_contract.kept import Kept
from api_contract.log import get_logger
from api_contract.metrics import CONTENT_TYPE, Collect, Process, exposition

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_TAKEN_AGAIN_SECONDS = 1.0
_ANSWERED_AT_ONCE, _MOST_OPEN = 4, 64
_CLIENT_SECONDS = 5.0
_JSON = "application/json"

log = get_logger(__name__)


@dataclass(frozen=True)
class Watched:
    """What is served: `ready` says so or raises PulseError, `looked_up` is added to what was counted."""

    process: Process
    ready: Callable[[], Mapping[str, Any]]
    looked_up: tuple[Collect, ...] = ()


def serve(watched: Watched, host: str, port: int) -> None:
    """Serve it for as long as the process lives; port 0: nowhere.

    One of the processes of a server has the port, and speaks for all. When it ends, another one takes the port.
    """
    if port:
        threading.Thread(target=_run, args=(watch_app(watched), host, port), name="watch", daemon=True).start()


def watch_app(watched: Watched) -> "WSGIApplication":
    """The two pages."""
    metrics = Kept(lambda: exposition(watched.process, watched.looked_up))
    pages: dict[str, Callable[[], tuple[str, str, bytes]]] = {
        "/ready": lambda: _readiness(watched.ready),
        "/metrics": lambda: ("200 OK", CONTENT_TYPE, metrics.get()),
    }

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        page = pages.get(environ["PATH_INFO"]) if environ["REQUEST_METHOD"] in ("GET", "HEAD") else None
        status, content_type, body = page() if page else ("404 Not Found", "text/plain", b"/ready or /metrics\n")
        start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    return app


def _readiness(ready: Callable[[], Mapping[str, Any]]) -> tuple[str, str, bytes]:
    try:
        return "200 OK", _JSON, json.dumps(ready()).encode()
    except PulseError as refused:
        if not isinstance(refused, ServiceUnavailable):
            refused = ServiceUnavailable(refused.message, refused.details)
        error = {"code": refused.code, "message": refused.message, "details": refused.details}
        return "503 Service Unavailable", _JSON, json.dumps({"error": error}).encode()


def _run(app: "WSGIApplication", host: str, port: int) -> None:
    is_told = False
    while True:
        try:
            server = _Server((host, port), _Handler)
        except OSError as error:
            if not is_told:
                is_told = True
                is_taken = error.errno == errno.EADDRINUSE
                reason = "taken, by another process of this server or by others" if is_taken else str(error)
                log.warning("readiness and metrics wait for their port", host=host, port=port, reason=reason)
            time.sleep(_TAKEN_AGAIN_SECONDS)
            continue
        server.set_app(app)
        log.info("readiness and metrics served", host=host, port=port)
        server.serve_forever()


class _Server(WSGIServer):
    """A few threads, whatever comes: who finds too many before him is turned away."""

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self._threads = ThreadPoolExecutor(_ANSWERED_AT_ONCE, "watch")
        self._places = threading.BoundedSemaphore(_MOST_OPEN)
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # Not the library's own: it asks a name server for the name of the host.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        self._threads.submit(self._answer, request, client_address)

    def _answer(self, request: socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            # The client has gone, or takes forever.
            log.debug("a client of the watch port was given up")
        finally:
            self._places.release()
            self.shutdown_request(request)


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_SECONDS

    def log_message(self, *_arguments: object) -> None:
        """Who asks every few seconds is not worth a line."""
