"""A small threaded HTTP/1.1 server for the exchange: it keeps connections alive, and can reset them.

No WSGI server lets an application drop the connection in place of an answer, which is what a lost
acknowledgement is. Not for the open internet.
"""

import io
import json
import socket
import struct
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from pulse_ops.paper_exchange.arriving import (
    ARRIVAL_SECONDS,
    MAX_BODY_BYTES,
    OWN_NAMES,
    REST_SECONDS,
    Arrivals,
    Unacceptable,
    body_length,
    check_host,
)
from pulse_ops.paper_exchange.log import service_log

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

log = service_log()

DROP = "pulse.drop"

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = REST_SECONDS
    server: "Server"

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._arrivals = Arrivals(self.connection)
        self.rfile: io.BufferedReader = io.BufferedReader(self._arrivals)

    def handle_one_request(self) -> None:
        self._arrivals.rest()
        super().handle_one_request()

    def do_GET(self) -> None:
        try:
            # The address that it was reached at is its own, whichever it listens on.
            check_host(self.headers, self.server.names | {str(self.connection.getsockname()[0])})
            body = self._body(body_length(self.headers))
        except Unacceptable as refused:
            self._refuse(refused)
            return
        self._answer(self._environ(body))

    # The names that http.server looks for.
    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _answer(self, environ: "WSGIEnvironment") -> None:
        answer: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
            answer[:] = [status, headers]

        body = b"".join(_drained(self.server.application(environ, start_response)))
        if environ.get(DROP):
            self._reset()
            return
        status, headers = answer
        self._write(status, headers, body)

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002
        # A kept connection that nobody uses any more is closed: that is no news.
        if not self._arrivals.is_at_rest:
            super().log_error(format, *args)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        # Only what is not HTTP comes here, in plain text that would break the JSON lines.
        log.warning("request not understood", client=self.client_address[0])

    def _body(self, length: int) -> bytes:
        try:
            body = self.rfile.read(length)
        except TimeoutError:
            raise Unacceptable(408, "The body has not arrived in time") from None
        if len(body) < length:
            raise ConnectionError("the client went away in the middle of its request")
        return body

    def _refuse(self, refused: Unacceptable) -> None:
        log.warning("request refused", client=self.client_address[0], status=refused.status, reason=refused.message)
        # What else was sent is not looked at.
        self.close_connection = True
        told = {"status": "error", "message": refused.message, "error_type": "InputException", "data": None}
        body = json.dumps(told).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
        self._write(str(refused.status), list(headers.items()), body)
        self._part()

    def _part(self) -> None:
        """Close after an answer to something unread: closed at once, the kernel would drop the answer for a reset."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        left = MAX_BODY_BYTES
        while left > 0 and (read := self.rfile.read1(65_536)):
            left -= len(read)

    def _environ(self, body: bytes) -> "WSGIEnvironment":
        path, _, query = self.path.partition("?")
        return {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": str(self.server.server_address[0]),
            "SERVER_PORT": str(self.server.server_address[1]),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()},
        }

    def _write(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.connection.settimeout(ARRIVAL_SECONDS)
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.close_connection = True


class Server(ThreadingHTTPServer):
    """Serves one WSGI application, a thread for each connection."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host: str, port: int, application: "WSGIApplication", names: Iterable[str] = ()) -> None:
        super().__init__((host, port), _RequestHandler)
        self.application = application
        self.names = OWN_NAMES | {name.lower() for name in (host, *names)}

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def shutdown_request(self, request: Any) -> None:
        # Without the usual shutdown(): it would end the connection in order where it has to be reset.
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away are part of the game."""


def _drained(chunks: Iterable[bytes]) -> Iterable[bytes]:
    try:
        yield from chunks
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
