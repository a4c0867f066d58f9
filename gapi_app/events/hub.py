"""One thread asks a cell for new events of all accounts with open streams; it asks nothing while there are none.

What came last is kept once for each account, not for each stream: a stream that reads slowly holds nothing here. When
it has fallen behind what is kept, it reads on from pulse at its own pace.
"""

import time
from collections import deque
from collections.abc import Sequence
from threading import Condition, Thread

import structlog

from api_contract.errors import PulseError
from gapi_app import clock
from gapi_app.cells.directory import Cell
from gapi_app.events.client import EventClient, LiveEvent
from gapi_app.metrics import STREAM_LAG

POLL_SECONDS, RETRY_SECONDS = 0.25, 1.0
_POLLED_AT_ONCE = 50
_KEPT = 500

log = structlog.get_logger(__name__)


class Channel:
    """The latest events of one account, and those who wait for more."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.listeners = 0
        self._start = position
        self._events: deque[LiveEvent] = deque()
        self._changed = Condition()
        self._nudges = 0
        self._looks = 0

    def add(self, events: Sequence[LiveEvent]) -> None:
        with self._changed:
            self._events.extend(events)
            self.position = events[-1].event_id
            while len(self._events) > _KEPT:
                self._start = self._events.popleft().event_id
            self._changed.notify_all()

    def after(self, cursor: int) -> list[LiveEvent] | None:
        """The events after this one, None when some of them are no longer kept."""
        with self._changed:
            if cursor < self._start:
                return None
            return [one for one in self._events if one.event_id > cursor]

    def wait(self, cursor: int, seconds: float) -> bool:
        """Return on an event after this one, when somebody nudges (True) or has it look, or after so many seconds."""
        with self._changed:
            nudges, looks = self._nudges, self._looks
            self._changed.wait_for(
                lambda: self.position > cursor or (self._nudges, self._looks) != (nudges, looks), seconds
            )
            return self._nudges != nudges

    def look(self) -> None:
        """Let every stream look whether it may go on."""
        with self._changed:
            self._looks += 1
            self._changed.notify_all()

    def nudge(self) -> None:
        """Let every stream write something, so that those whose client has gone notice."""
        with self._changed:
            self._nudges += 1
            self._changed.notify_all()


class Hub:
    """The channels of all accounts of a cell that somebody listens to."""

    def __init__(self, client: EventClient, cell: Cell) -> None:
        self._client = client
        self._cell = cell
        self._channels: dict[str, Channel] = {}
        self._changed = Condition()
        self._thread: Thread | None = None

    def join(self, account_id: str, position: int) -> Channel:
        """The account's channel, which begins at `position` when nobody else listens; `leave` it in the end."""
        with self._changed:
            channel = self._channels.setdefault(account_id, Channel(position))
            channel.listeners += 1
            if self._thread is None:
                self._thread = Thread(target=self._run, name="events", daemon=True)
                self._thread.start()
            self._changed.notify()
            return channel

    def leave(self, account_id: str) -> None:
        with self._changed:
            channel = self._channels[account_id]
            channel.listeners -= 1
            if not channel.listeners:
                del self._channels[account_id]

    def nudge(self, account_id: str) -> None:
        """Nudge the streams on this account's channel."""
        with self._changed:
            channel = self._channels.get(account_id)
        if channel is not None:
            channel.nudge()

    def look(self) -> None:
        """Let every stream look whether it may go on."""
        with self._changed:
            channels = list(self._channels.values())
        for channel in channels:
            channel.look()

    def _run(self) -> None:
        is_well = True
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._channels)
            was_well, is_well, has_more = is_well, False, False
            try:
                has_more = self._poll()
                is_well = True
            except PulseError:
                pass
            if was_well != is_well:
                log.warning("events can be read" if is_well else "events cannot be read")
            if not has_more:
                time.sleep(POLL_SECONDS if is_well else RETRY_SECONDS)

    def _poll(self) -> bool:
        with self._changed:
            channels = dict(self._channels)
        if not channels:
            return False
        after = {account_id: channel.position for account_id, channel in channels.items()}
        feeds = self._client.poll(self._cell, after, _POLLED_AT_ONCE)
        for feed in feeds:
            if feed.events and feed.account_id in channels:
                channels[feed.account_id].add(feed.events)
                STREAM_LAG.observe(max(clock.now() - feed.events[0].at.timestamp(), 0.0))
        return any(feed.has_more for feed in feeds)
