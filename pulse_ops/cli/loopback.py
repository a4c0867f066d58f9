"""Where a broker's login page sends the browser back to: this machine alone, until one request token has come."""

import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from pulse_ops.stack.config import LOOPBACK

_LONGEST = 512
_TAKEN = b"Pulse has what it needs. You can close this page.\n"
_NOTHING = b"There is no request_token in this address.\n"


def request_token_of(address: str) -> str | None:
    """The token in the address that a login page leads to; a token alone is taken for itself."""
    text = address.strip()
    if not text or len(text) > 4096:
        return None
    if "?" not in text and "/" not in text and "=" not in text:
        return text[:_LONGEST]
    query = parse_qs(urlsplit(text).query)
    found = query.get("request_token", [])
    return found[0][:_LONGEST] if len(found) == 1 and query.get("status", ["success"]) == ["success"] else None


class Redirects:
    """Listens on loopback from the start; closed again by the end of the block."""

    def __init__(self, port: int) -> None:
        self._server = _Server((LOOPBACK, port), _Handler)

    def __enter__(self) -> "Redirects":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_port}/"

    def wait(self, seconds: float) -> str | None:
        """The first request token that comes; None when none has by then."""
        ends_at = time.monotonic() + seconds
        while self._server.token is None and (left := ends_at - time.monotonic()) > 0:
            self._server.timeout = left
            self._server.handle_request()
        return self._server.token


class _Server(HTTPServer):
    token: str | None = None


class _Handler(BaseHTTPRequestHandler):
    # A connection that says nothing must not keep the one out that brings the token.
    timeout = 5
    server: _Server

    def do_GET(self) -> None:
        self.server.token = request_token_of(f"http://{LOOPBACK}{self.path}")
        answer = _NOTHING if self.server.token is None else _TAKEN
        self.send_response(404 if self.server.token is None else 200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing: the address holds the token."""
