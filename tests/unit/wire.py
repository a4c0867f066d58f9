"""A broker's end of the wire that answers with exactly the bytes it is given."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Act = Callable[[socket.socket], None]


class Wire:
    """Reads one request for each connection, then does what it was told. `requests` holds what came in.

    With a certificate (and its key, in one file) it speaks TLS.
    """

    def __init__(self, act: Act, certificate: Path | None = None) -> None:
        self._act = act
        self._context = _context(certificate) if certificate else None
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, incoming: socket.socket) -> None:
        # Whoever gives up resets the connection.
        with suppress(OSError), self._encrypted(incoming) as connection:
            self.requests.append(_request(connection))
            self._act(connection)

    def _encrypted(self, incoming: socket.socket) -> socket.socket:
        return self._context.wrap_socket(incoming, server_side=True) if self._context else incoming


@contextmanager
def wire(act: Act, certificate: Path | None = None) -> Iterator[Wire]:
    running = Wire(act, certificate)
    try:
        yield running
    finally:
        running.close()


def answer(status: int, body: bytes, content_type: str | None = "application/json", length: int | None = None) -> Act:
    """Send an HTTP answer; `length` other than the body's promises more than comes."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"Content-Type: {content_type}"] if content_type else []
    head = "\r\n".join([*lines, "Connection: close", "", ""]).encode()

    def act(connection: socket.socket) -> None:
        connection.sendall(head + body)

    return act


def redirect(to: str) -> Act:
    head = f"HTTP/1.1 307 Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    return lambda connection: connection.sendall(head)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def say_nothing(connection: socket.socket) -> None:
    # Until the client gives up and closes its end.
    connection.recv(1)


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")), 0)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body
