"""Cuts off clients that take forever to send a request or to take its answer.

The server bounds the time for a request's head, not for its body or for the answer. So a thread looks, each second, at
every connection: what the kernel has received on it and what the client has taken. This costs a request nothing.

Nobody is cut off for the time that we take: what counts is how much longer a connection has been asking than our
oldest request has been waiting for us.
"""

import os
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import structlog

from gapi_app.guard.concurrency import Concurrency

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
        gate: Concurrency,
        are_places_scarce: Callable[[], bool],
        patience_seconds: float,
        heartbeat_seconds: float,
    ) -> None:
        self._gate = gate
        self._are_places_scarce = are_places_scarce
        self._patience = patience_seconds
        # A stream says nothing for so long; any other connection on which as little happens, the server closes itself.
        self._longest_silence = heartbeat_seconds + patience_seconds
        self._ports: set[int] = set()
        self._known: dict[int, Connection] = {}
        self._others: set[int] = set()
        self._waited_before = 0.0

    def follow(self) -> None:
        """Look at them from now on, where the kernel tells."""
        if _FILES.is_dir():
            Thread(target=self._run, name="slow-clients", daemon=True).start()

    def look(self, now: float) -> None:
        """Note what has happened on each connection since the last look, and cut off those of slow clients."""
        # An answer that has just left is no longer waited for, and may not be seen on its connection yet.
        waited, self._waited_before = max(self._gate.longest_wait(), self._waited_before), self._gate.longest_wait()
        self._ports = self._ports or _listening()
        known, others = {}, set()
        for inode, number in _sockets():
            connection = self._known.get(inode)
            if inode in self._others or (connection is None and not _is_of_client(number, self._ports)):
                others.add(inode)
                continue
            known[inode] = connection = connection or Connection(told_at=now)
            with suppress(OSError), _borrowed(number) as opened:
                connection.note(opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size), now)
            if what := self._is_slow(connection, now, waited):
                _cut(inode, number, what)
        self._known, self._others = known, others

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


def _sockets() -> Iterator[tuple[int, int]]:
    """Each socket of this process: an inode, which no other one has, and the number of its file."""
    for number in map(int, os.listdir(_FILES)):
        # Files come and go meanwhile.
        with suppress(OSError):
            about = os.fstat(number)
            if stat.S_ISSOCK(about.st_mode):
                yield about.st_ino, number


def _listening() -> set[int]:
    return {port for _, number in _sockets() if (port := _port(number, listens=True))}


def _is_of_client(number: int, ports: set[int]) -> bool:
    return _port(number, listens=False) in ports


def _port(number: int, listens: bool) -> int | None:
    with suppress(OSError), _borrowed(number) as opened:
        address = opened.getsockname()
        if isinstance(address, tuple) and bool(opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) == listens:
            return int(address[1])
    return None


@contextmanager
def _borrowed(number: int) -> Iterator[socket.socket]:
    # Named, so that nothing is asked to find it out; neither is wrong for what is done with it.
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=number)
    try:
        yield opened
    finally:
        # It belongs to the server, which closes it.
        opened.detach()


def _cut(inode: int, number: int, what: str) -> None:
    with suppress(OSError), closing(socket.socket(fileno=os.dup(number))) as copy:
        # The number may mean another connection by now; that of a copy cannot change.
        if os.fstat(copy.fileno()).st_ino == inode:
            log.warning("slow client cut off", what=what, address=copy.getpeername()[0])
            copy.shutdown(socket.SHUT_RDWR)
