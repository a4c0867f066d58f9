"""HTTP for the Kite client that remembers what really happened on the wire.

The client's exceptions lie about it: a 500 that carries data passes for a success, and a refused connection and a
lost answer share a class. So each call leaves a record of two facts: did the request leave, and what came back.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from pulse_core.brokers.base import NotSent

POOL_SIZE = 64


@dataclass
class Call:
    """One request to the broker. `not_after` is an instant of `time.monotonic()`."""

    not_after: float | None = None
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
        left = self.not_after - time.monotonic()
        if left <= 0:
            raise NotSent("LATE", "the time for sending had passed before the request could leave")
        return left


_current: ContextVar[Call] = ContextVar("call")


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
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        call = _current.get()
        timeout = kwargs["timeout"]
        kwargs["timeout"] = (min(timeout, call.time_left()), timeout)
        response = super().send(request, *args, **kwargs)
        call.status = response.status_code
        call.body = response.content
        return response


class _Leaving:
    """The last step before bytes leave: the connection stands, and only the sending is to come."""

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:  # type: ignore[attr-defined]
            self.connect()  # type: ignore[attr-defined]
        call = _current.get()
        call.time_left()
        call.has_left = True
        super().endheaders(*args, **kwargs)  # type: ignore[misc]


class _HTTPConnection(_Leaving, HTTPConnection):
    pass


class _HTTPSConnection(_Leaving, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection
