"""What happens to orders and to alarms: by the page, and as it happens."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol, TypeVar

from pulse_client import following
from pulse_client.alarm_models import AlarmEvent, AlarmEventPage
from pulse_client.calls import part
from pulse_client.following import Follower, Numbered, Source
from pulse_client.models import Event, EventPage, MergedEvent, MergedEventPage
from pulse_client.orders import Orders
from pulse_client.stream import data_of
from pulse_client.transport import Request, Response

_E = TypeVar("_E", bound=Numbered)


class _Page(Protocol[_E]):
    @property
    def events(self) -> list[_E]: ...

    @property
    def next_after(self) -> int | None: ...


class Feeds(Orders):
    """Begin to follow with the `last_event_id` of what was read before, or with 0 for all that ever happened."""

    def event_page(self, order_id: str, after: int = 0, limit: int = 100) -> EventPage:
        """Up to `limit` events of an order, those after the event with the id `after`."""
        return self._get(EventPage, _path(order_id), format="json", after=after, limit=limit)

    def events(self, order_id: str, after: int = 0, limit: int = 500) -> Iterator[Event]:
        """Everything that has happened to an order after this event, asked for in pages of `limit`."""
        return _all(partial(self.event_page, order_id, limit=limit), after)

    def follow(self, order_id: str, after: int = 0) -> Iterator[Event]:
        """Everything that has happened to an order after this event, and what happens next, until it has ended.

        A stream that is cut is opened again where it was.
        """
        while True:
            # Asked first: when it has ended, the pages tell all of it.
            has_ended = self.order(order_id).is_final
            for event in self.events(order_id, after):
                yield event
                after = event.event_id
            if has_ended:
                return
            for data in data_of(self._stream(_path(order_id), after)):
                event = self._read(Event, data)
                yield event
                after = event.event_id
                if event.is_end:
                    break
            else:
                time.sleep(following.RECONNECT_SECONDS)

    def account_event_page(self, after: int = 0, limit: int = 100, account_id: str | None = None) -> EventPage:
        """Up to `limit` events of all orders of the account, or of another one for operators and admins."""
        return self._get(EventPage, "/api/events", format="json", after=after, limit=limit, account_id=account_id)

    def account_events(self, after: int = 0, limit: int = 500, account_id: str | None = None) -> Iterator[Event]:
        """Everything that has happened to an account's orders after this event, asked for in pages of `limit`."""
        return _all(partial(self.account_event_page, limit=limit, account_id=account_id), after)

    def follow_account(
        self, after: int, account_id: str | None = None, outage_seconds: float | None = None
    ) -> Follower[Event]:
        """Everything that happens to an account's orders after this event, each once and in order."""
        pages = partial(self.account_events, account_id=account_id)
        return self._follower(Event, "/api/events", pages, after, outage_seconds, account_id=account_id)

    def all_event_page(self, after: int = 0, limit: int = 100) -> MergedEventPage:
        """Up to `limit` events of orders of all accounts, for operators and admins."""
        return self._get(MergedEventPage, "/api/events/all", format="json", after=after, limit=limit)

    def all_events(self, after: int = 0, limit: int = 500) -> Iterator[MergedEvent]:
        """Everything that has happened to orders of all accounts after this event, asked for in pages of `limit`."""
        return _all(partial(self.all_event_page, limit=limit), after)

    def follow_all(self, after: int, outage_seconds: float | None = None) -> Follower[MergedEvent]:
        """Everything that happens to orders of all accounts after this event, each once and in order.

        For operators and admins. The numbers are those of this feed: each account has others of its own.
        """
        return self._follower(MergedEvent, "/api/events/all", self.all_events, after, outage_seconds)

    def alarm_events(self, after: int = 0, limit: int = 100) -> AlarmEventPage:
        """Up to `limit` events of all alarms, those after the event with the id `after`."""
        return self._get(AlarmEventPage, "/api/alarms/events", format="json", after=after, limit=limit)

    def follow_alarms(self, after: int, outage_seconds: float | None = None) -> Follower[AlarmEvent]:
        """Everything that happens to alarms after this event, each once and in order; for operators and admins."""
        pages = partial(_all, partial(self.alarm_events, limit=500))
        return self._follower(AlarmEvent, "/api/alarms/events", pages, after, outage_seconds)

    def _follower(
        self,
        kind: type[Any],
        path: str,
        pages: Callable[[int], Iterator[Any]],
        after: int,
        outage_seconds: float | None,
        **query: Any,
    ) -> Follower[Any]:
        source = Source(partial(self._stream, path, **query), partial(self._read, kind), pages)
        return Follower(source, after, outage_seconds)

    def _stream(self, path: str, after: int, **query: Any) -> Response:
        headers = {"Last-Event-ID": str(after)}
        return self._ask(Request("GET", path, query=query, headers=headers, is_stream=True))


def _all(page: Callable[[int], _Page[_E]], after: int) -> Iterator[_E]:
    next_after: int | None = after
    while next_after is not None:
        found = page(next_after)
        yield from found.events
        next_after = found.next_after


def _path(order_id: str) -> str:
    return f"/api/orders/{part(order_id)}/events"
