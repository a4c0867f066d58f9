"""Clients that are slow on purpose, on real sockets."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

HEAD = b"POST /api/auth/login HTTP/1.1\r\nHost: gapi\r\nContent-Type: application/json\r\n"
WITHOUT_BODY = HEAD + b"Content-Length: 1000\r\n\r\n{"
IN_CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
HALF_A_HEAD = HEAD[:-7]


@contextmanager
def connected(url: str, first: bytes, count: int = 1, receive_buffer: int = 0) -> Iterator[list[socket.socket]]:
    """So many connections, on each of which this was sent."""
    where = urlsplit(url)
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            connection = stack.enter_context(socket.socket())
            if receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            connection.settimeout(30)
            connection.connect((where.hostname, where.port))
            connection.sendall(first)
            opened.append(connection)
        yield opened


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has ended it; what it said before is read and forgotten."""
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def answer_of(connection: socket.socket) -> bytes:
    """All that is said until the other side ends it."""
    said = b""
    while part := connection.recv(65_536):
        said += part
    return said
