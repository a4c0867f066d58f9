"""Calls to pulse about halts."""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode

from flask import current_app

from api_contract.errors import NotFound
from api_contract.ids import HALT_ID
from api_contract.scopes import Caller
from api_contract.shapes.halts import HALT_QUERY, HALTED_SLICE_QUERY, NEW_HALT
from gapi_app.cells.link import Answer
from gapi_app.upstream import PulseClient


class HaltClient(PulseClient):
    """The part of pulse's `/internal` API that stops what is traded. Every method raises PulseError."""

    def halt(self, who: Caller, new: Mapping[str, Any]) -> Answer:
        """201 with a new halt, 200 with the one of this scope that is in force."""
        return self._ask("POST", "/internal/halt", who, {200, 201}, NEW_HALT.dump(new))

    def release_halt(self, who: Caller, halt_id: str) -> dict[str, Any]:
        return self._ask("POST", f"/internal/halt/{_known(halt_id)}/release", who, {200}).body

    def halts(self, who: Caller, query: Mapping[str, Any]) -> dict[str, Any]:
        """Halts, a page at a time."""
        return self._ask("GET", f"/internal/halts?{urlencode(HALT_QUERY.dump(query))}", who, {200}).body

    def halt_receipt(self, who: Caller, halt_id: str) -> dict[str, Any]:
        """A halt as it stands."""
        return self._ask("GET", f"/internal/halts/{_known(halt_id)}", who, {200}).body

    def halted_slices(self, who: Caller, halt_id: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """The slices of a halt's receipt, a page at a time."""
        path = f"/internal/halts/{_known(halt_id)}/slices?{urlencode(HALTED_SLICE_QUERY.dump(query))}"
        return self._ask("GET", path, who, {200}).body


def halts() -> HaltClient:
    """The client of the running app."""
    return cast("HaltClient", current_app.extensions["halts"])


def _known(halt_id: str) -> str:
    if not HALT_ID.fullmatch(halt_id):
        raise NotFound("there is no such halt")
    return halt_id
