"""A wire to a server that carries everything as it is, and keeps what was sent to the server over it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread

LOOPBACK = "127.0.0.1"


@dataclass
class Tap:
    """`sent` has what clients sent, each connection for itself."""

    url: str
    sent: list[bytearray] = field(default_factory=list)


@contextmanager
def tapped(port: int) -> Iterator[Tap]:
    """A tap before a server of this machine."""
    with socket.create_server((LOOPBACK, 0)) as server:
        tap = Tap(f"http://{LOOPBACK}:{server.getsockname()[1]}")
        Thread(target=_connect, args=(server, port, tap), daemon=True).start()
        try:
            yield tap
        finally:
            # Else its thread would wait for ever.
            server.shutdown(socket.SHUT_RDWR)


def _connect(server: socket.socket, port: int, tap: Tap) -> None:
    with suppress(OSError):
        while True:
            near, _ = server.accept()
            far = socket.create_connection((LOOPBACK, port))
            tap.sent.append(bytearray())
            Thread(target=_carry, args=(near, far, tap.sent[-1]), daemon=True).start()
            Thread(target=_carry, args=(far, near, bytearray()), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket, seen: bytearray) -> None:
    with suppress(OSError):
        while chunk := source.recv(65_536):
            seen += chunk
            sink.sendall(chunk)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
