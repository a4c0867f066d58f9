"""The lists of all cells as one: in the order of each, page by page, with a cursor that holds a place in every cell.

The cursors of cells are theirs and not read here. A page that ends in the middle of a cell's page is asked of that cell
again, as long as what was taken from it: its cursor is the place then, and nothing is left out or shown twice.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from api_contract.errors import InvalidRequest, ServiceUnavailable
from gapi_app.cells.directory import Cell
from gapi_app.cells.link import Answer, Call, Link
from gapi_app.cells.naming import forget_answered
from gapi_app.errors import UpstreamError, UpstreamTimeout

_NO_ANSWER = (ServiceUnavailable, UpstreamTimeout, UpstreamError)
_A_CURSOR = re.compile(r"[A-Za-z0-9_=-]{0,200}")
_OLDEST_FIRST = "created_at"

AskIn = Callable[[Cell, Call], Answer]


@dataclass(frozen=True)
class Listing:
    """A list of pulse: the field that holds it, and the field of its entries that it is ordered by."""

    name: str
    key: str
    is_rising: bool = False


LISTINGS: Mapping[str, Listing] = {
    "GET /internal/orders": Listing("orders", "order_id"),
    "GET /internal/alarms": Listing("alarms", "alarm_id"),
    "GET /internal/accounts": Listing("users", "username", is_rising=True),
    "GET /internal/keys/all": Listing("keys", "key_id"),
    "GET /internal/webhooks/all": Listing("webhooks", "webhook_id"),
    "GET /internal/broker-accounts": Listing("broker_accounts", "name", is_rising=True),
}


@dataclass
class _Part:
    """What one cell has told, from the place on where it was asked."""

    link: Link
    place: str
    body: dict[str, Any]
    name: str

    @property
    def entries(self) -> list[dict[str, Any]]:
        found = self.body.get(self.name)
        if not isinstance(found, list):
            raise UpstreamError(f"pulse gave an answer without {self.name}")
        return found

    @property
    def next_place(self) -> str | None:
        return self.body.get("next_cursor")


def merged(listing: Listing, call: Call, links: Collection[Link], ask_in: AskIn) -> Answer:
    """A page of all cells together. Raises PulseError, when no cell answers or when one refuses."""
    return _Merge(listing, call, {link.cell.name: link for link in links}, ask_in).page()


class _Merge:
    def __init__(self, listing: Listing, call: Call, links: Mapping[str, Link], ask_in: AskIn) -> None:
        self._listing, self._call, self._links, self._ask_in = listing, call, links, ask_in
        self._path, _, query = call.path.partition("?")
        self._query = dict(parse_qsl(query, keep_blank_values=True))
        self._limit = int(self._query["limit"]) if "limit" in self._query else None
        self._is_rising = listing.is_rising or self._query.get("sort") == _OLDEST_FIRST
        self._unreachable: list[str] = []

    def page(self) -> Answer:
        if "after" in self._query:
            rule = "Use cursor: it holds a place in every cell."
            raise InvalidRequest(
                "after is a place in one cell, and there are several", {"field": "after", "rule": rule}
            )
        places = self._places(self._query.pop("cursor", None))
        parts = self._told({name: self._part(name, place, self._limit) for name, place in places.items()})
        if not parts:
            raise ServiceUnavailable("no cell can be reached", {"missing": [f"cell {name}" for name in places]})
        cut = self._told({name: self._cut(part, self._taken(parts, name)) for name, part in parts.items()})
        forget_answered()
        return Answer(200, self._body(places, cut), next(iter(parts.values())).link.cell)

    def _part(self, name: str, place: str, limit: int | None) -> _Part | None:
        """What the cell tells, None when it does not answer."""
        link = self._links[name]
        if link.is_away:
            return None
        query = self._query | ({} if limit is None else {"limit": str(limit)}) | ({"cursor": place} if place else {})
        path = f"{self._path}?{urlencode(query)}" if query else self._path
        try:
            return _Part(link, place, self._ask_in(link.cell, replace(self._call, path=path)).body, self._listing.name)
        except _NO_ANSWER:
            return None

    def _told(self, parts: Mapping[str, _Part | None]) -> dict[str, _Part]:
        self._unreachable += [name for name, part in parts.items() if part is None]
        return {name: part for name, part in parts.items() if part is not None}

    def _taken(self, parts: Mapping[str, _Part], name: str) -> int:
        """How many entries of this cell are on the page."""
        of_all = [(self._order(one), cell) for cell, part in parts.items() for one in part.entries]
        of_all.sort(reverse=not self._is_rising)
        return sum(cell == name for _order, cell in of_all[: self._limit])

    def _cut(self, part: _Part, taken: int) -> _Part | None:
        if taken == len(part.entries):
            return part
        if taken == 0:
            return replace(part, body={self._listing.name: [], "next_cursor": part.place})
        return self._part(part.link.cell.name, part.place, taken)

    def _body(self, places: Mapping[str, str], parts: Mapping[str, _Part]) -> dict[str, Any]:
        entries = [one | {"cell": name} for name, part in parts.items() for one in part.entries]
        entries.sort(key=lambda one: (self._order(one), one["cell"]), reverse=not self._is_rising)
        more = {name: part.next_place for name, part in parts.items() if part.next_place is not None}
        # A list goes on for as long as a cell that answers has more; one that comes back meanwhile goes on with it.
        away = {name: places[name] for name in self._unreachable} if more else {}
        body = {self._listing.name: entries, "unreachable_cells": sorted(set(self._unreachable))}
        if self._limit is not None:
            body["next_cursor"] = _cursor({**more, **away}) if more else None
        return self._others(parts) | body

    def _others(self, parts: Mapping[str, _Part]) -> dict[str, Any]:
        """What a page says beside its entries, as `last_event_id`: of one account, so one cell knows it, or none."""
        told: dict[str, Any] = {}
        for part in parts.values():
            for name, value in part.body.items():
                told[name] = max((one for one in (told.get(name), value) if isinstance(one, int)), default=None)
        return {name: value for name, value in told.items() if name not in (self._listing.name, "next_cursor")}

    def _order(self, entry: Mapping[str, Any]) -> str:
        return str(entry.get(self._listing.key))

    def _places(self, cursor: str | None) -> dict[str, str]:
        """Where to go on in each cell, the empty text for its beginning."""
        if cursor is None:
            return dict.fromkeys(self._links, "")
        try:
            places = json.loads(base64.urlsafe_b64decode(cursor))
        except (binascii.Error, ValueError, RecursionError):
            places = None
        if not isinstance(places, dict) or not places or not all(map(self._is_place, places, places.values())):
            raise InvalidRequest("cursor is not one that was given out for this listing", {"field": "cursor"})
        return places

    def _is_place(self, name: str, place: object) -> bool:
        return name in self._links and isinstance(place, str) and bool(_A_CURSOR.fullmatch(place))


def _cursor(places: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(places, separators=(",", ":")).encode()).decode()
