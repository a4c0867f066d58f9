"""Logins of the page: as those of the API, but the refresh token is in a cookie that no script can read.

The cookie is sent to these three calls alone, and they are for the page itself: what another site has a browser send is
refused. So are calls that do not say where they come from.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from flask import Response, current_app, jsonify, request

from api_contract.errors import Forbidden, Unauthorized
from api_contract.scopes import READS_EVERY_ACCOUNT, SCOPES, Caller
from api_contract.shapes.logins import LOGIN
from gapi_app import clock
from gapi_app.access.auth import access
from gapi_app.access.revocations import learn_now
from gapi_app.blueprint import Blueprint
from gapi_app.identity.client import identity
from gapi_app.identity.login import tokens_of
from gapi_app.identity.me import SETTINGS
from gapi_app.upstream import pulse

if TYPE_CHECKING:
    from gapi_app.config import Settings

PATH = "/app/session"
_COOKIE, _SECURE_COOKIE = "pulse_login", "__Secure-pulse_login"
# Longer than any token of ours: what is longer is none.
_LONGEST_TOKEN = 256

blueprint = Blueprint("web_session", __name__, url_prefix=PATH)


@blueprint.before_request
def _refuse_other_sites() -> None:
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin", "")
    # Some browsers name the origin alone, and to plain http all do.
    is_same = site == "same-origin" if site is not None else origin.partition("://")[2] == request.host
    if not is_same:
        raise Forbidden("this is for the page at /app alone", {"needed": "same-origin"})


@blueprint.route("", methods=["POST"])
@blueprint.arguments(LOGIN)
def log_in(credentials: dict[str, str]) -> Response:
    """Begin a login; the access token is in the answer, the refresh token in the cookie."""
    return _went_on(identity().login(credentials, request.remote_addr or ""))


@blueprint.route("/refresh", methods=["POST"])
def refresh() -> Response:
    """Go on with the login of the cookie."""
    try:
        return _went_on(identity().refresh(cookie_token(), request.remote_addr or ""))
    except Unauthorized:
        learn_now(access().revocations)
        raise


@blueprint.route("", methods=["DELETE"])
def log_out() -> Response:
    """End the login of the cookie, whatever became of its access token; repeating it is harmless."""
    response = Response(status=204)
    try:
        login = identity().refresh(cookie_token(), request.remote_addr or "")
    except Unauthorized:
        pass
    else:
        identity().log_out(_caller(login))
    learn_now(access().revocations)
    for name in (_COOKIE, _SECURE_COOKIE):
        response.delete_cookie(name, path=PATH, secure=name == _SECURE_COOKIE, httponly=True, samesite="Strict")
    return response


def cookie_token() -> str:
    """The refresh token that the browser keeps. Raises Unauthorized when there is none."""
    token = request.cookies.get(_SECURE_COOKIE) or request.cookies.get(_COOKIE) or ""
    if not 0 < len(token) <= _LONGEST_TOKEN or not token.isascii() or not token.isprintable():
        raise Unauthorized("nobody is logged in here")
    return token


def _went_on(login: dict[str, Any]) -> Response:
    told = tokens_of(login)
    token, ends_at = told.pop("refresh_token"), told["refresh_expires_at"]
    role, page = login["role"], {"refresh_expires_at": ends_at.isoformat()}
    response = jsonify(told | page | {"links": _links(role), "cells": _cells(role, login["cell"])})
    response.headers["Cache-Control"] = "no-store"
    is_secure = _is_https()
    response.set_cookie(
        _SECURE_COOKIE if is_secure else _COOKIE,
        token,
        max_age=_seconds_until(ends_at),
        path=PATH,
        secure=is_secure,
        httponly=True,
        samesite="Strict",
    )
    return response


def _links(role: str) -> dict[str, str]:
    """Where operators look at tasks and metrics, as far as that is set."""
    settings = cast("Settings", current_app.config[SETTINGS])
    known = {"Flower": settings.pulse_flower_url, "Grafana": settings.pulse_grafana_url}
    return {name: url for name, url in known.items() if url and role in READS_EVERY_ACCOUNT}


def _cells(role: str, own: str | None) -> list[str]:
    """The cells that may be looked at, one's own first; none where there is nothing to choose."""
    cells = pulse().router.cells
    if len(cells) == 1 or role not in READS_EVERY_ACCOUNT:
        return []
    return sorted((cell.name for cell in cells), key=lambda name: cells.named(name) is not cells.named(own))


def _is_https() -> bool:
    # Behind a proxy the gateway is spoken to in http; the browser says what the page was loaded with.
    return request.is_secure or request.headers.get("Origin", "").startswith("https://")


def _seconds_until(ends_at: datetime) -> int:
    return max(0, int(ends_at.timestamp() - clock.now()))


def _caller(login: dict[str, Any]) -> Caller:
    who, must_enrol = (login["account_id"], login["role"]), login.get("must_enrol") is True
    return Caller(*who, SCOPES[login["role"]], login["session_id"], must_enrol=must_enrol, cell=login["cell"])
