"""Cuts off clients that take forever to send a request or to take its answer.

The server bounds the time for a request's head, not for its body or for the answer. So a thread looks, each second, at
every connection: what the kernel has received on it and what the client has taken. This costs a request nothing.

Nobody is cut off for the time that we take: what counts is how much longer a connection has been asking than our
oldest request has been waiting for us.
"""

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import structlog

from gapi_app.gate import Gate

LOOK_SECONDS = 1.0
PATIENCE_WHEN_SCARCE_SECONDS = 2.0
_FILES = Path("/proc/self/fd")
# Of Linux' struct tcp_info: segments on their way, bytes acknowledged, bytes received, bytes not yet sent.
_TCP_INFO = struct.Struct("=24xI92xQQ8xI")

log = structlog.get_logger(__name__)


@dataclass
class Connection:
    """What went over a connection, and since when its client asks, takes nothing, or was told nothing."""

    told_at: float
    taken: int = 0
    received: int = 0
    asking_since: float | None = None
    refusing_since: float | None = None

    def note(self, tcp_info: bytes, now: float) -> None:
        """What the kernel says of it now."""
        on_the_way, taken, received, not_sent = _TCP_INFO.unpack_from(tcp_info)
        if taken > self.taken:
            self.told_at, self.asking_since, self.refusing_since = now, None, None
        elif received > self.received and self.asking_since is None:
            self.asking_since = now
        if not on_the_way and not not_sent:
            self.refusing_since = None
        elif self.refusing_since is None:
            self.refusing_since = now
        self.taken, self.received = taken, received


class SlowClients:
    """The connections that clients have opened to this process."""

    def __init__(
        self,
        gate: Gate,
        are_places_scarce: Callable[[], bool],
        patience_seconds: float,
        heartbeat_seconds: float,
    ) -> None:
        self._gate = gate
        self._are_places_scarce = are_places_scarce
        self._patience = patience_seconds
        # A stream says nothing for so long; any other connection on which as little happens, the server closes itself.
        self._longest_silence = heartbeat_seconds + patience_seconds
        self._known: dict[str, Connection] = {}
        self._waited_before = 0.0

    def follow(self) -> None:
        """Look at them from now on, where the kernel tells."""
        if _FILES.is_dir():
            Thread(target=self._run, name="slow-clients", daemon=True).start()

    def look(self, now: float) -> None:
        """Note what has happened on each connection since the last look, and cut off those of slow clients."""
        # An answer that has just left is no longer waited for, and may not be seen on its connection yet.
        waited, self._waited_before = max(self._gate.longest_wait(), self._waited_before), self._gate.longest_wait()
        known = {}
        for name, opened in _opened_by_clients():
            with closing(opened):
                known[name] = connection = self._known.get(name) or Connection(told_at=now)
                connection.note(opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), now)
                if what := self._is_slow(connection, now, waited):
                    _cut(opened, what)
        self._known = known

    def _is_slow(self, connection: Connection, now: float, waited: float) -> str | None:
        patience = PATIENCE_WHEN_SCARCE_SECONDS if self._are_places_scarce() else self._patience
        if connection.asking_since is not None and now - connection.asking_since - waited > patience:
            return "sending"
        if connection.refusing_since is not None and now - connection.refusing_since > self._patience:
            return "taking"
        return "silent" if now - connection.told_at - waited > self._longest_silence else None

    def _run(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            try:
                self.look(time.monotonic())
            except OSError:
                log.warning("slow clients cannot be seen", exc_info=True)


def _opened_by_clients() -> Iterator[tuple[str, socket.socket]]:
    """Each with a name of its own, as a copy that has to be closed."""
    ports, others = set(), []
    for name, copy in _sockets():
        if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            ports.add(copy.getsockname()[1])
            copy.close()
            continue
        others.append((name, copy))
    for name, copy in others:
        if copy.getsockname()[1] in ports:
            yield name, copy
            continue
        copy.close()


def _sockets() -> Iterator[tuple[str, socket.socket]]:
    for number in os.listdir(_FILES):
        # Files come and go meanwhile.
        with suppress(OSError):
            name = os.readlink(_FILES / number)
            if not name.startswith("socket:"):
                continue
            copy = socket.socket(fileno=os.dup(int(number)))
            if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.type == socket.SOCK_STREAM:
                yield name, copy
                continue
            copy.close()


def _cut(opened: socket.socket, what: str) -> None:
    with suppress(OSError):
        log.warning("slow client cut off", what=what, address=opened.getpeername()[0])
        opened.shutdown(socket.SHUT_RDWR)
