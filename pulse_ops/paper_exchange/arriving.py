"""What the exchange's server takes as a request: whole, in time, of a stated length, and meant for it."""

import io
import re
import socket
import time
from email.message import Message

# A connection may rest so long between two requests. Once one has begun, all of it must arrive within the other.
REST_SECONDS = 300.0
ARRIVAL_SECONDS = 10.0
MAX_BODY_BYTES = 4 * 1024 * 1024
OWN_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})

_LENGTH = re.compile("[0-9]{1,18}")
_HOST = re.compile(r"(?:\[(?P<address>[0-9a-fA-F:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{0,5})?")


class Unacceptable(Exception):
    """A request that is answered with this status, and is the last one of its connection."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Arrivals(io.RawIOBase):
    """What a client sends, read as long as it may take. Raises TimeoutError when it takes longer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ends_at: float | None = None

    def rest(self) -> None:
        """From here on nothing need arrive until the next request begins."""
        self._ends_at = None

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing has arrived of the next request."""
        return self._ends_at is None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._connection.settimeout(self._patience())
        count = self._connection.recv_into(buffer)
        if self._ends_at is None:
            self._ends_at = time.monotonic() + ARRIVAL_SECONDS
        return count

    def _patience(self) -> float:
        if self._ends_at is None:
            return REST_SECONDS
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request has not arrived in time")
        return left


def body_length(headers: Message) -> int:
    """The length of the body. Raises Unacceptable for one that is no length or too long, or is not stated."""
    if "Transfer-Encoding" in headers:
        raise Unacceptable(411, "A body needs a `Content-Length`")
    stated = headers.get_all("Content-Length", ["0"])
    if len(stated) != 1 or not _LENGTH.fullmatch(stated[0].strip()):
        raise Unacceptable(400, "`Content-Length` is not a length")
    length = int(stated[0])
    if length > MAX_BODY_BYTES:
        raise Unacceptable(413, "The body is too long")
    return length


def check_host(headers: Message, names: frozenset[str]) -> None:
    """Raise Unacceptable unless the request is for one of these names: a page of the web may have given us its own."""
    hosts = headers.get_all("Host", [])
    found = _HOST.fullmatch(hosts[0].strip()) if len(hosts) == 1 else None
    if found is None:
        raise Unacceptable(400, "`Host` is missing or no host")
    if (found["address"] or found["name"]).lower().rstrip(".") not in names:
        raise Unacceptable(421, "The exchange has no such name")
