"""Open streams: how many there may be, what each one sends, and when it ends."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Condition
from typing import cast

from flask import Flask, current_app

from api_contract.clock import Clock
from api_contract.errors import PulseError, RateLimited
from gapi_app.access.revocations import RevocationsOfCells
from gapi_app.cells.routing import Router
from gapi_app.clock import pulse_time
from gapi_app.config import Settings
from gapi_app.events.client import EventClient, Feed, LiveEvent
from gapi_app.events.hub import Channel, Hub
from gapi_app.metrics import STREAMS

HEARTBEAT = b":\n\n"
_RETRY_MS = 1000
READ_AT_ONCE = 200
_PATIENCE_SECONDS, _RETRY_SECONDS = 0.5, 1.0


class Slots:
    """How many streams may be open, in all and for each account."""

    def __init__(self, most: int, most_of_account: int) -> None:
        self._most = most
        self._most_of_account = most_of_account
        self._open: Counter[str] = Counter()
        self._waiting: set[str] = set()
        self._changed = Condition()

    def take(self, account_id: str, make_room: Callable[[], None]) -> None:
        """Take a slot; when there is none, `make_room` and wait a moment. Raises RateLimited."""
        with self._changed:
            if not self._is_free(account_id) and not self._wait(account_id, make_room):
                raise RateLimited("too many event streams are open", 15, {"limit": self._most_of_account})
            self._open[account_id] += 1
            STREAMS.inc()

    def release(self, account_id: str) -> None:
        with self._changed:
            self._open -= Counter([account_id])
            STREAMS.dec()
            self._changed.notify_all()

    def _wait(self, account_id: str, make_room: Callable[[], None]) -> bool:
        # One at a time: requests that wait are requests that others cannot make.
        if account_id in self._waiting:
            return False
        self._waiting.add(account_id)
        try:
            make_room()
            return self._changed.wait_for(lambda: self._is_free(account_id), _PATIENCE_SECONDS)
        finally:
            self._waiting.discard(account_id)

    def _is_free(self, account_id: str) -> bool:
        return self._open[account_id] < self._most_of_account and self._open.total() < self._most


@dataclass
class Events:
    """What it takes to serve events; `hubs` by the names of the cells."""

    client: EventClient
    hubs: Mapping[str, Hub]
    slots: Slots
    heartbeat_seconds: float


@dataclass
class Stream:
    """One open stream. `read` gives the events after one of them from pulse itself; `order_id` narrows it down.

    `is_over` says whether the right to it has ended; it is asked before each frame and whenever something was revoked.
    """

    channel: Channel
    cursor: int
    read: Callable[[int], Feed]
    is_over: Callable[[], bool]
    ends_at: float
    heartbeat_seconds: float
    order_id: str | None = None
    clock: Clock = pulse_time
    _silent_until: float = 0

    def frames(self) -> Iterator[bytes]:
        """What is sent, until the token ends or is revoked. An id comes first, for whoever has to resume at once."""
        yield self._spoken(f"retry: {_RETRY_MS}\nid: {self.cursor}\n\n".encode())
        while self._is_allowed():
            frames = self._next()
            if frames:
                yield self._spoken(frames)
                continue
            seconds = min(self._silent_until - self.clock.monotonic(), self.ends_at - self.clock.now())
            is_nudged = self.channel.wait(self.cursor, max(seconds, 0))
            if is_nudged or self.clock.monotonic() >= self._silent_until:
                yield self._spoken(HEARTBEAT)

    def _spoken(self, said: bytes) -> bytes:
        self._silent_until = self.clock.monotonic() + self.heartbeat_seconds
        return said

    def _is_allowed(self) -> bool:
        return self.clock.now() < self.ends_at and not self.is_over()

    def _next(self) -> bytes:
        events = self.channel.after(self.cursor)
        if events is None:
            return self._read_on()
        if events:
            self.cursor = events[-1].event_id
        return self._joined(events)

    def _read_on(self) -> bytes:
        try:
            page = self.read(self.cursor)
        except PulseError:
            self.clock.sleep(_RETRY_SECONDS)
            return HEARTBEAT
        is_cut = page.has_more and page.events
        self.cursor = page.events[-1].event_id if is_cut else max(self.cursor, page.last_event_id)
        return self._joined(page.events)

    def _joined(self, events: Sequence[LiveEvent]) -> bytes:
        return b"".join(one.frame for one in events if self.order_id in (None, one.order_id))


def serve_events(app: Flask, settings: Settings, router: Router, revocations: RevocationsOfCells) -> None:
    """Give the app its client for events, the hubs and the slots."""
    client = EventClient(router)
    slots = Slots(settings.pulse_streams, settings.pulse_streams_per_account)
    hubs = {cell.name: Hub(client, cell) for cell in router.cells}

    def look() -> None:
        for hub in hubs.values():
            hub.look()

    revocations.on_news(look)
    app.extensions["events"] = Events(client, hubs, slots, settings.pulse_stream_heartbeat)


def events() -> Events:
    """That of the running app."""
    return cast("Events", current_app.extensions["events"])
