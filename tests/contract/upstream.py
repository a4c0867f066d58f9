"""Something that listens where pulse should, and behaves as the network can."""

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

Behaviour = Callable[[socket.socket], None]


class Upstream:
    """A listener that reads each request and then does what the test says."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.behave: Behaviour = lambda _connection: None
        self.requests: list[bytes] = []
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        # Closing alone would leave the thread in accept, and the port open.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, self.behave), daemon=True).start()

    def _serve(self, connection: socket.socket, behave: Behaviour) -> None:
        with connection, suppress(OSError):
            read = _read_request(connection)
            if read.startswith(b"GET /internal/revocations"):
                # Asked all the time, whatever the test is about.
                answering(200, b'{"revocations": [], "latest": 0}')(connection)
                return
            if read.startswith(b"POST /internal/processes"):
                answering(204, b"")(connection)
                return
            self.requests.append(read)
            behave(connection)


def answering(status: int, body: bytes, headers: str = "Content-Type: application/json") -> Behaviour:
    head = f"HTTP/1.1 {status} X\r\n{headers}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return lambda connection: connection.sendall(head.encode() + body)


def sending(data: bytes) -> Behaviour:
    return lambda connection: connection.sendall(data)


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body
