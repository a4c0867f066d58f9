"""HTTP to a broker that remembers what really happened on the wire, for all adapters.

What a client raises may lie about it: a 500 that carries data passes for a success, and a refused connection and a
lost answer share a class. So each call leaves a record of its facts: did the request leave, and what came back.

A call that is over is over for the kernel too. A closed socket would go on sending what was not acknowledged, for
minutes, and a request that was given up would arrive when the link is back. So closing a socket resets it and throws
away what it holds, and a process that is killed or stopped does not keep one sending.
"""

import io
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from http.client import HTTPResponse
from typing import Any

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from api_contract.log import current_trace
from pulse_core.boottime import boottime
from pulse_core.brokers.port import BrokerError, NotSent, OutcomeUnknown

POOL_SIZE = 64
RESET_ON_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
# The kernel counts from its first retransmission: the share that is left is for the wait before that one.
UNACKNOWLEDGED = 0.75
# Of somebody in between, who waited for us or gave up, and may have passed the request on all the same; and a conflict
# says that something is there.
_AMBIGUOUS = frozenset({408, 409, 425, 499})


@dataclass
class Call:
    """One request to the broker.

    It leaves before `not_after`, an instant of `boottime()`, or never; `timeout` seconds later it is over, which
    is `patience` times what the client asks for. Of an answer that `is_streamed` the body is left to whoever called,
    unless it is an error. Others are JSON, of which `decode` may leave out what nobody needs; it raises ValueError.
    """

    not_after: float | None = None
    patience: float = 1.0
    is_streamed: bool = False
    decode: Callable[[bytes], object] = msgspec.json.decode
    timeout: float = 0.0
    ends_at: float = 0.0
    has_left: bool = False
    status: int | None = None
    body: bytes = b""

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Record what this thread sends and receives inside."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def time_left(self) -> float:
        """Seconds until it is too late to send. Raises NotSent when it is."""
        if self.not_after is None:
            return float("inf")
        left = self.not_after - boottime()
        if left <= 0:
            raise NotSent("LATE", "the time for sending had passed before the request could leave")
        return left

    def leave(self) -> None:
        """From here on the request may be at the broker. Raises NotSent when it is too late."""
        self.time_left()
        self.has_left = True
        self.ends_at = boottime() + self.timeout

    def bound(self, wire: socket.socket) -> None:
        """Let the next step on the wire take what is left of the call. Raises TimeoutError when nothing is."""
        left = self.ends_at - boottime()
        if left <= 0:
            raise TimeoutError("the broker's answer took too long as a whole")
        wire.settimeout(left)


_current: ContextVar[Call] = ContextVar("call")


def attempt(send: Callable[[], object], call: Call) -> tuple[object, Exception | None]:
    """What `send` returned, or what it raised: what the call recorded meanwhile decides, not its class.

    Raises NotSent when it was too late to send.
    """
    try:
        with call.watched():
            return send(), None
    except NotSent:
        raise
    # Clients raise KeyError, TypeError and more on odd answers. None of them may pass for "not placed".
    except Exception as error:
        return None, error


def unanswered(call: Call, error: Exception | None) -> BrokerError:
    """Why a call came to nothing that has no answer.

    `error` is what was raised meanwhile, if anything; only its class name is used, for the message.
    """
    cause = type(error).__name__
    if not call.has_left:
        return NotSent("UNREACHABLE", f"no connection to the broker ({cause})")
    return OutcomeUnknown("NO_ANSWER", f"the request left, and no answer came ({cause})")


def proves_refusal(status: int) -> bool:
    """Whether an answer with this status can say for certain that nothing was placed."""
    return 400 <= status < 500 and status not in _AMBIGUOUS


class Session(requests.Session):
    """Pooled connections, no proxy or credentials from the environment, no redirects, no retries."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_maxsize=POOL_SIZE, max_retries=0))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        # A followed redirect would send the order a second time.
        return None


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        # Without a delay, as always: urllib3 sends the head and the body of a request by themselves.
        options = [*HTTPConnection.default_socket_options, RESET_ON_CLOSE]
        super().init_poolmanager(*args, socket_options=options, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        call = _current.get()
        call.timeout = kwargs["timeout"] * call.patience
        kwargs["timeout"] = (min(call.timeout, call.time_left()), call.timeout)
        if traceparent := current_trace().get("traceparent"):
            request.headers["traceparent"] = traceparent
        response = super().send(request, *args, **kwargs)
        if call.is_streamed and response.status_code == 200:
            call.status = response.status_code
            return response
        # Together: half an answer tells as little as none.
        call.body, call.status = response.content, response.status_code
        response.json = partial(_parsed, response, call.decode)  # type: ignore[method-assign]
        return response


def _parsed(response: requests.Response, decode: Callable[[bytes], object]) -> Any:
    """A long book is parsed many times faster; what the strict parser refuses is read as always."""
    try:
        return decode(response.content)
    except ValueError:
        return requests.Response.json(response)


class _Answer(HTTPResponse):
    """An answer that has until the end of its call, however it drips in."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Bounded(self.fp.detach(), sock))


class _Bounded(io.RawIOBase):
    def __init__(self, incoming: io.RawIOBase, wire: socket.socket) -> None:
        self._incoming = incoming
        self._wire = wire
        self._call = _current.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._call.bound(self._wire)
        return self._incoming.readinto(buffer)

    def close(self) -> None:
        # The socket is open for as long as this is.
        self._incoming.close()
        super().close()


class _Leaving:
    """The last step before bytes leave: the connection is open, and only sending remains."""

    response_class: type[HTTPResponse] = _Answer
    sock: Any

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        call = _current.get()
        _let_go_of_unacknowledged(self.sock, call.timeout * UNACKNOWLEDGED)
        call.leave()
        super().endheaders(*args, **kwargs)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        _current.get().bound(self.sock)
        super().send(data)  # type: ignore[misc]


class _HTTPConnection(_Leaving, HTTPConnection):
    pass


class _HTTPSConnection(_Leaving, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


def _let_go_of_unacknowledged(wire: socket.socket, seconds: float) -> None:
    # A stopped process closes nothing, so the kernel must end by itself.
    if sys.platform == "linux":
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
