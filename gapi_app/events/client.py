"""Calls to pulse about events, and events as they are written to a stream."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from api_contract.errors import NotFound
from api_contract.ids import ORDER_ID
from api_contract.scopes import GATEWAY, Caller
from gapi_app.cells.directory import Cell
from gapi_app.cells.link import Answer
from gapi_app.errors import UpstreamError
from gapi_app.upstream import PulseClient

# The channels of what happens to alarms and of all accounts together, among those that are named by an account.
ALARMS, EVERYBODY = "alarms", "everybody"
_POLLED_AT = {ALARMS: "/internal/alarms/poll", EVERYBODY: "/internal/events/all/poll"}


@dataclass(frozen=True)
class LiveEvent:
    """An event of an account or of an alarm, ready to be sent."""

    event_id: int
    order_id: str | None
    at: datetime
    frame: bytes


@dataclass(frozen=True)
class Feed:
    """A part of an account's events, or under ALARMS or EVERYBODY of theirs.

    `last_event_id` is the latest that can be read, here or in the next part.
    """

    account_id: str
    events: Sequence[LiveEvent]
    last_event_id: int
    is_complete: bool
    has_more: bool
    cell: Cell


class EventClient(PulseClient):
    """The part of pulse's `/internal` API that tells what happened. Every method raises PulseError."""

    def poll(self, cell: Cell, after: Mapping[str, int | None], limit: int) -> list[Feed]:
        """What is new of several accounts of a cell, and under ALARMS and EVERYBODY; for None, where it stands."""
        accounts = {key: seen for key, seen in after.items() if key not in _POLLED_AT}
        feeds = self._poll_accounts(cell, accounts, limit) if accounts else []
        return [*feeds, *(self._poll_one(cell, key, after[key], limit) for key in _POLLED_AT if key in after)]

    def alarm_events(self, who: Caller, page: Mapping[str, int]) -> dict[str, Any]:
        """A page of what happened to alarms."""
        path = f"/internal/alarms/events?after={page['after']}&limit={page['limit']}"
        return self._ask("GET", path, who, {200}).body

    def all_events(self, who: Caller, page: Mapping[str, int]) -> dict[str, Any]:
        """A page of what happened to orders of all accounts."""
        path = f"/internal/events/all?after={page['after']}&limit={page['limit']}"
        return self._ask("GET", path, who, {200}).body

    def _poll_one(self, cell: Cell, key: str, after: int | None, limit: int) -> Feed:
        asked = {"after": after, "limit": limit}
        body = self._ask("POST", _POLLED_AT[key], GATEWAY, {200}, asked, cell=cell).body
        try:
            return _feed(body | {"account_id": key}, len(body["events"]) == limit, cell)
        except (KeyError, TypeError):
            raise UpstreamError("pulse gave an answer without events") from None

    def _poll_accounts(self, cell: Cell, after: Mapping[str, int | None], limit: int) -> list[Feed]:
        asked = {"after": after, "limit": limit}
        body = self._ask("POST", "/internal/events/poll", GATEWAY, {200}, asked, cell=cell).body
        try:
            return [_feed(one, len(one["events"]) == limit, cell) for one in body["feeds"]]
        except (KeyError, TypeError):
            raise UpstreamError("pulse gave an answer without events") from None

    def account_events(self, who: Caller, asked: str | None, page: Mapping[str, int]) -> dict[str, Any]:
        """Events of all orders of the caller, or of an account that the caller may see."""
        return self._account_page(who, asked, page).body

    def account_feed(self, who: Caller, asked: str | None) -> Feed:
        """Where the events of an account stand that the caller may see."""
        return _feed_of(self._account_page(who, asked, {"after": 0, "limit": 1}))

    def order_feed(self, who: Caller, order_id: str, after: int, limit: int) -> Feed:
        """Events of one order, with where the account stands whose order it is."""
        return _feed_of(self._page(who, order_id, "events", {"after": after, "limit": limit}))

    def order_events(self, who: Caller, order_id: str, page: Mapping[str, int]) -> dict[str, Any]:
        return self._page(who, order_id, "events", page).body

    def audit(self, who: Caller, order_id: str, page: Mapping[str, int]) -> dict[str, Any]:
        return self._page(who, order_id, "audit", page).body

    def webhooks(self, method: str, path: str, who: Caller, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask about webhooks, or change them; `path` is what follows their own."""
        return self._ask(method, f"/internal/webhooks{path}", who, {200, 201, 202, 204}, body).body

    def _account_page(self, who: Caller, asked: str | None, page: Mapping[str, int]) -> Answer:
        query = {"after": page["after"], "limit": page["limit"]} | ({"account_id": asked} if asked else {})
        return self._ask("GET", f"/internal/events?{urlencode(query)}", who, {200})

    def _page(self, who: Caller, order_id: str, what: str, page: Mapping[str, int]) -> Answer:
        if not ORDER_ID.fullmatch(order_id):
            raise NotFound("there is no such order")
        path = f"/internal/orders/{order_id}/{what}?after={page['after']}&limit={page['limit']}"
        return self._ask("GET", path, who, {200})


def _feed_of(page: Answer) -> Feed:
    try:
        return _feed(page.body, page.body["next_after"] is not None, page.cell)
    except (KeyError, TypeError):
        raise UpstreamError("pulse gave an answer without events") from None


def _feed(body: Mapping[str, Any], has_more: bool, cell: Cell) -> Feed:
    events = [_event(one) for one in body["events"]]
    return Feed(body["account_id"], events, body["last_event_id"], body["is_complete"], has_more, cell)


def _event(body: Mapping[str, Any]) -> LiveEvent:
    return LiveEvent(body["event_id"], body["order_id"], datetime.fromisoformat(body["at"]), _frame(body))


def _frame(event: Mapping[str, Any]) -> bytes:
    data = json.dumps(event, separators=(",", ":"))
    return f"id: {event['event_id']}\nevent: {event['type']}\ndata: {data}\n\n".encode()
