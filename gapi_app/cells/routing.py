"""Which cell is asked: that of the caller's account, and for operators and admins the one that has what they ask for.

A call that concerns the caller alone goes to his cell. Beyond that operators and admins reach every cell: main lists
are those of all cells, what has an id is looked for until a cell has it, and for anything else, or to have one cell's
part alone, they name the cell.
"""

import re
from collections.abc import Sequence

from flask import g, has_request_context

from api_contract.errors import InvalidRequest, PulseError, ServiceUnavailable
from api_contract.scopes import GATEWAY, READS_EVERY_ACCOUNT, Caller
from api_contract.spans import Kind, span
from gapi_app.cells.directory import Cell, Cells
from gapi_app.cells.link import Answer, Call, Link
from gapi_app.cells.merging import LISTINGS, merged
from gapi_app.cells.naming import HEADER, named_cell, note_answered
from gapi_app.clock import another_clock, pulse_time
from gapi_app.config import Settings
from gapi_app.errors import Refused, UpstreamError, UpstreamTimeout
from gapi_app.metrics import CELL_UP

# What is about the caller's own account, whoever that is.
_OWN = re.compile(
    r"GET /internal/(orders/by-key/[^?]*|events)(\?(?!(.*&)?account_id=).*)?"
    r"|POST /internal/orders(/preview)?"
    r"|[A-Z]+ /internal/(me|sessions|second-factor|policy|keys(?!/all\b)|webhooks(?!/all\b))([/?].*)?"
)
# What each cell can tell, and nobody may mean another's by mistake.
_OF_ANY = re.compile(r"GET /internal/(installation|markets|instruments)([/?].*)?")
# What names one thing: by its id, or in a list of things that have ids.
_OF_ONE = re.compile(
    r"[A-Z]+ /internal/((orders|accounts|keys/all|webhooks/all)/[^/?]+"
    r"|([^?]*/)?[a-z]{2,3}_[0-7][0-9A-HJKMNP-TV-Z]{25})([/?].*)?"
)
# What one cell lacks, another may have; what one did not answer, another need not have either.
_NOT_HERE, _NOT_OURS = "NOT_FOUND", "FORBIDDEN"
_NO_ANSWER = (ServiceUnavailable, UpstreamTimeout, UpstreamError)


class Router:
    """The ways to all cells, and who is sent which."""

    def __init__(self, cells: Cells, settings: Settings) -> None:
        self.cells = cells
        self._links = {
            cell.name: Link(cell, settings, pulse_time if cell is cells.default else another_clock()) for cell in cells
        }

    def ask(self, call: Call) -> Answer:
        """The answer of the cell that it belongs to, or of all together. Raises PulseError."""
        own, asked = self._own(call.who), f"{call.method} {call.path}"
        if len(self.cells) == 1 or call.who.role not in READS_EVERY_ACCOUNT:
            return self.ask_in(own, call)
        named = named_cell()
        if _OWN.fullmatch(asked):
            if named not in (None, own):
                raise _is_refused(f"this is about your own account, which is in the cell {own.name}")
            return self.ask_in(own, call)
        if named or _OF_ANY.fullmatch(asked):
            return self.ask_in(named or own, call)
        listing = LISTINGS.get(asked.partition("?")[0])
        if listing is not None:
            return merged(listing, call, self._links.values(), self.ask_in)
        if _OF_ONE.fullmatch(asked):
            return self._first(call, self._first_of(own), _NOT_HERE)
        raise _is_refused("name the cell that is meant: there is more than one", self._names())

    def ask_in(self, cell: Cell, call: Call) -> Answer:
        """The answer of this cell. Raises PulseError."""
        note_answered(cell)
        with span("pulse", Kind.CLIENT):
            return self._links[cell.name].ask(call)

    def clock_ahead(self, cell: Cell) -> float | None:
        """How many seconds this machine's clock is ahead of the cell's; None while it has not told its time."""
        return self._links[cell.name].clock_ahead()

    def ask_until_taken(self, call: Call) -> Answer:
        """The answer of the first cell that takes what is signed for one of them. Raises PulseError."""
        return self._first(call, self._first_of(self.cells.default), _NOT_OURS)

    def ask_each(self, call: Call) -> None:
        """Have every cell do something. Raises PulseError, in the end, when one of them did not answer."""
        failure: PulseError | None = None
        for cell in self.cells:
            try:
                self.ask_in(cell, call)
            except PulseError as failed:
                failure = failed
        if failure is not None:
            raise failure

    def one_for_everybody(self) -> Cell:
        """The cell that an operator has named, or the only one. Raises InvalidRequest where there are several."""
        if named := named_cell():
            return named
        if len(self.cells) > 1:
            raise _is_refused("name the cell that is meant: there is more than one", self._names())
        return self.cells.default

    def note_away(self, cell: Cell, *, is_away: bool) -> None:
        """Note whether the latest look for news found somebody there."""
        self._links[cell.name].is_away = is_away
        CELL_UP.labels(cell.name).set(not is_away)

    def check_ready(self) -> None:
        """Raise PulseError unless the only cell can take orders, or one of several answers."""
        if len(self.cells) == 1:
            self.ask_in(self.cells.default, Call("GET", "/internal/ready", GATEWAY, {200}))
        elif all(link.is_away for link in self._links.values()):
            raise ServiceUnavailable("no cell can be reached", {"missing": [f"cell {name}" for name in self._links]})

    def states(self) -> dict[str, str]:
        """Whether each cell answers, as of a second ago."""
        return {name: "away" if link.is_away else "ready" for name, link in self._links.items()}

    def _first(self, call: Call, cells: Sequence[Cell], passed_over: str) -> Answer:
        refusal: Refused | None = None
        failure: PulseError | None = None
        for cell in cells:
            _forget_last_answer()
            try:
                return self.ask_in(cell, call)
            except Refused as refused:
                if refused.code != passed_over:
                    raise
                refusal = refused
            except _NO_ANSWER as failed:
                failure = failure or failed
        raise failure or refusal or ServiceUnavailable("no cell can be reached")

    def _own(self, who: Caller) -> Cell:
        cell = self.cells.named(who.cell)
        if cell is None:
            raise ServiceUnavailable("the cell of this account is not served here", {"missing": [f"cell {who.cell}"]})
        return cell

    def _first_of(self, likeliest: Cell) -> list[Cell]:
        """All of them, those that are away last: they may hold up the answer, and it may be elsewhere."""
        return sorted(self.cells, key=lambda cell: (self._links[cell.name].is_away, cell is not likeliest))

    def _names(self) -> list[str]:
        return [cell.name for cell in self.cells]


def _is_refused(rule: str, names: Sequence[str] = ()) -> InvalidRequest:
    return InvalidRequest(rule, {"field": HEADER, "rule": rule} | ({"cells": list(names)} if names else {}))


def _forget_last_answer() -> None:
    if has_request_context():
        g.pop("is_replayed", None)
        g.pop("etag", None)
