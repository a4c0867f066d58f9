"""For which cell a request is, before anything is done for it: so that it takes a place among those of that cell."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from api_contract.body import read_object
from api_contract.errors import PulseError, Unauthorized
from gapi_app.access.auth import Access
from gapi_app.cells.directory import Cell, Cells
from gapi_app.cells.naming import HEADER
from gapi_app.cells.tags import untagged
from gapi_app.guard.concurrency import Concurrency, in_cell
from gapi_app.web.sessions import cookie_token

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_NAMED = f"HTTP_{HEADER.upper().replace('-', '_')}"


def tags_by_head(access: Access, cells: Cells) -> "Callable[[WSGIEnvironment], str | None]":
    """The tag of the cell that a request names, else of the one that its token or key is of; None: the default one."""

    def tag_of(environ: "WSGIEnvironment") -> str | None:
        if len(cells) == 1:
            return None
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        known = access.known(authorization)
        if known is None:
            # A key that is not known yet: only its cell can know it.
            return _tag(cells.named(untagged(authorization)[1]))
        return _tag(cells.named(environ.get(_NAMED, known.caller.cell)))

    return tag_of


def move_by_body(app: Flask, gate: Concurrency, cells: Cells) -> None:
    """Have logins, and those that go on, wait among those of their cell, which their body says."""
    if len(cells) == 1:
        return

    @app.before_request
    def move() -> None:
        if request.endpoint in _CELL_OF:
            cell = _CELL_OF[request.endpoint](cells, _body())
            gate.move(partial(in_cell, tag=_tag(cell)))


def _of_login(cells: Cells, body: dict[str, Any]) -> Cell | None:
    username = body.get("username")
    return cells.of_user(username) if isinstance(username, str) else None


def _of_refresh(cells: Cells, body: dict[str, Any]) -> Cell | None:
    token = body.get("refresh_token")
    return cells.named(untagged(token)[1]) if isinstance(token, str) else None


def _of_cookie(cells: Cells, _body: dict[str, Any]) -> Cell | None:
    try:
        return cells.named(untagged(cookie_token())[1])
    except Unauthorized:
        return None


_CELL_OF: dict[str | None, Callable[[Cells, dict[str, Any]], Cell | None]] = {
    "login.log_in": _of_login,
    "login.refresh": _of_refresh,
    "web_session.log_in": _of_login,
    "web_session.refresh": _of_cookie,
    "web_session.log_out": _of_cookie,
}


def _body() -> dict[str, Any]:
    try:
        return read_object(request.get_data())
    except PulseError:
        # The view says what is wrong with it.
        return {}


def _tag(cell: Cell | None) -> str | None:
    return cell.tag if cell else None
