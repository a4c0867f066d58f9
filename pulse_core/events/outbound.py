"""Posting to addresses that clients name: never to what only this machine or its network can reach.

A connection goes to the very address that was checked, so that the name cannot lead elsewhere by then. It is kept for
what follows, but not for long: a name may get another address.
"""

import http.client
import select
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from functools import cache
from threading import Event, Lock, Timer

from pulse_core.events.outbound_rules import Policy, Target, Unreachable, check_address

CONNECT_SECONDS, ANSWER_SECONDS = 1.0, 2.0
IDLE_SECONDS, LINE_SECONDS = 20.0, 60.0
MOST_KEPT = 64
LONGEST_ANSWER_READ = 4096

_GONE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)


class LineGone(Exception):
    """A kept connection that the other side has closed."""


class Line:
    """A connection to an address that was checked. `is_used`: it has carried an answer before."""

    def __init__(self, target: Target, address: str, connection: http.client.HTTPConnection) -> None:
        self.target = target
        self.address = address
        self.is_used = False
        self._connection = connection
        self._opened_at = self._rested_at = time.monotonic()

    @property
    def is_good(self) -> bool:
        """Whether it may carry another request."""
        now = time.monotonic()
        is_young = now - self._opened_at < LINE_SECONDS and now - self._rested_at < IDLE_SECONDS
        return is_young and self._connection.sock is not None and not _is_readable(self._connection.sock)

    def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Post once, following nothing; the status of the answer. Raises Unreachable, LineGone for one used before."""
        # The socket's timeout bounds each packet; a trickle of them must not hold a deliverer longer.
        is_over = Event()
        end = Timer(ANSWER_SECONDS, _cut, [self._connection.sock, is_over])
        end.start()
        try:
            self._connection.request("POST", self.target.path, body, dict(headers))
            answer = self._connection.getresponse()
            status = answer.status
            self._rest(answer)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if is_over.is_set() or isinstance(error, TimeoutError):
                raise Unreachable("no answer in time") from None
            if self.is_used and isinstance(error, _GONE):
                raise LineGone from None
            raise Unreachable("no answer") from None
        finally:
            end.cancel()
        # Headers that are cut off read like headers that ended.
        if is_over.is_set():
            self.close()
            raise Unreachable("no answer in time")
        self.is_used = True
        return status

    def close(self) -> None:
        """End it; it carries nothing more."""
        self._connection.close()

    def _rest(self, answer: http.client.HTTPResponse) -> None:
        """Read what little there is after the status, so that the next request can follow; else close."""
        if answer.will_close or answer.length is None or answer.length > LONGEST_ANSWER_READ:
            self.close()
            return
        answer.read()
        self._rested_at = time.monotonic()


class Lines:
    """Connections that rest between two deliveries, at most one for each webhook."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._resting: dict[str, Line] = {}
        self._lock = Lock()

    def take(self, webhook_id: str, target: Target, policy: Policy) -> Line | None:
        """The webhook's connection, if it still leads where it should, and may be used."""
        with self._lock:
            line = self._resting.pop(webhook_id, None)
        if line is None:
            return None
        try:
            check_address(line.address, policy)
        except Unreachable:
            line.close()
            raise
        if line.target != target or not line.is_good:
            line.close()
            return None
        return line

    def keep(self, webhook_id: str, line: Line) -> None:
        """Let a connection rest; the one that rests longest ends where there are too many."""
        if not line.is_good:
            line.close()
            return
        with self._lock:
            ended = [self._resting.pop(webhook_id, None)]
            self._resting[webhook_id] = line
            if len(self._resting) > self._most:
                ended.append(self._resting.pop(next(iter(self._resting))))
        for one in filter(None, ended):
            one.close()

    def close_old(self) -> None:
        """End those that have rested too long, or whose other side has gone."""
        with self._lock:
            old = [webhook_id for webhook_id, line in self._resting.items() if not line.is_good]
            ended = [self._resting.pop(webhook_id) for webhook_id in old]
        for line in ended:
            line.close()


def connect(target: Target, addresses: Sequence[str], policy: Policy) -> Line:
    """A connection to one of the addresses, every one of which must be allowed. Raises Unreachable."""
    for address in addresses:
        check_address(address, policy)
    for address in addresses[:2]:
        try:
            return Line(target, address, _connected(target, address))
        except OSError:
            continue
    raise Unreachable("no connection")


def _connected(target: Target, address: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.default_port = {"http": 80, "https": 443}[target.scheme]
    # It would be opened anew by name, past every check.
    connection.auto_open = 0
    connection.sock = socket.create_connection((address, target.port), CONNECT_SECONDS)
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sock.settimeout(ANSWER_SECONDS)
    if target.scheme == "https":
        connection.sock = _secured(connection.sock, target.host)
    return connection


def _secured(plain: socket.socket, host: str) -> ssl.SSLSocket:
    secured = _tls().wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
    end = Timer(CONNECT_SECONDS, _cut, [secured, Event()])
    end.start()
    try:
        secured.do_handshake()
    except OSError:
        secured.close()
        raise
    finally:
        end.cancel()
    return secured


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _is_readable(sock: socket.socket) -> bool:
    """Whether something came that nobody asked for: the end of the connection, as a rule."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _cut(connected: socket.socket, is_over: Event) -> None:
    is_over.set()
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
