"""Events as they happen, each once and in order, through streams that are cut and a gateway that is away."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from threading import Event as Flag
from typing import Generic, Protocol, Self, TypeVar

from pulse_client.errors import EventsReset, GatewayError, InvalidRequest, NotReachable, TooMany
from pulse_client.stream import data_of
from pulse_client.transport import Response

RECONNECT_SECONDS = 1.0


class Numbered(Protocol):
    """An event of a feed whose numbers have no gap."""

    @property
    def event_id(self) -> int: ...


_E = TypeVar("_E", bound=Numbered)


@dataclass(frozen=True)
class Source(Generic[_E]):
    """Where events come from: a stream of those after one, how each is read, and all those after one by the page."""

    open: Callable[[int], Response]
    parse: Callable[[bytes], _E]
    pages: Callable[[int], Iterator[_E]]


class Follower(Generic[_E]):
    """Every event after one, and every one that happens next, without an end until it is closed.

    A stream that is cut is opened again where it was. The numbers have no gap: when one is missing, what was missed is
    read before anything else is given. `last_event_id` is that of the event given last: keep it with what you made of
    the event, and follow on from there after a restart. A gateway that is away is waited for, as long as
    `outage_seconds`, for ever where they are None; then NotReachable is raised. Whatever else the gateway refuses is
    raised at once, among it EventsReset.
    """

    def __init__(self, source: Source[_E], after: int, outage_seconds: float | None) -> None:
        self.last_event_id = after
        self._source = source
        self._outage_seconds = outage_seconds
        self._gives_up_at: float | None = None
        self._is_closed = Flag()
        self._stream: Response | None = None
        self._events = self._follow()

    def close(self) -> None:
        """End it, from any thread: whoever waits for an event gets no other one."""
        self._is_closed.set()
        stream = self._stream
        if stream is not None:
            with suppress(OSError, ValueError, RuntimeError):
                stream.shutdown()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _E:
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        # Where another thread waits for an event, it ends it.
        with suppress(ValueError):
            self._events.close()

    def _follow(self) -> Generator[_E, None, None]:
        while not self._is_closed.is_set():
            try:
                is_cut = yield from self._live()
                if is_cut and self._is_closed.wait(RECONNECT_SECONDS):
                    return
                yield from self._read_on()
            except (NotReachable, TooMany) as away:
                self._wait(away)

    def _live(self) -> Generator[_E, None, bool]:
        """What a stream tells, until it ends (True) or leaves one out (False)."""
        with closing(self._told(self._opened())) as told:
            for event in told:
                if event.event_id > self.last_event_id + 1:
                    return False
                yield from self._given(event)
        return True

    def _told(self, stream: Response) -> Generator[_E, None, None]:
        self._stream, self._gives_up_at = stream, None
        if self._is_closed.is_set():
            stream.close()
            return
        try:
            for data in data_of(stream):
                yield self._source.parse(data)
        finally:
            self._stream = None
            stream.close()

    def _opened(self) -> Response:
        try:
            return self._source.open(self.last_event_id)
        except InvalidRequest as refused:
            last = refused.details.get("max")
            if refused.details.get("field") != "last_event_id" or not isinstance(last, int):
                raise
            raise EventsReset(self.last_event_id, last) from None

    def _read_on(self) -> Iterator[_E]:
        for event in self._source.pages(self.last_event_id):
            yield from self._given(event)

    def _given(self, event: _E) -> Iterator[_E]:
        if event.event_id > self.last_event_id and not self._is_closed.is_set():
            self.last_event_id, self._gives_up_at = event.event_id, None
            yield event

    def _wait(self, away: GatewayError) -> None:
        if self._outage_seconds is not None:
            self._gives_up_at = self._gives_up_at or time.monotonic() + self._outage_seconds
            if time.monotonic() >= self._gives_up_at:
                raise away
        self._is_closed.wait(max(RECONNECT_SECONDS, away.retry_after or 0.0))
