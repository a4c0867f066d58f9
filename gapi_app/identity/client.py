"""Calls to pulse about logins, accounts, keys and revocations."""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote, urlencode

from flask import current_app

from api_contract.account_rules import is_own_limit
from api_contract.errors import InvalidRequest, PulseError, SecondFactorRequired, Unauthorized
from api_contract.scopes import GATEWAY, SCOPES, Caller
from gapi_app.cells.directory import Cell
from gapi_app.cells.link import Answer, Call, refusal_of
from gapi_app.cells.naming import HEADER, named_cell
from gapi_app.cells.routing import Router
from gapi_app.cells.tags import tagged, untagged
from gapi_app.config import Settings
from gapi_app.errors import UpstreamError, UpstreamTimeout
from gapi_app.upstream import PulseClient, with_query

_LOGIN = {"account_id": str, "role": str, "session_id": str, "generation": int, "refresh_token": str, "expires_at": str}
_SECOND_FACTOR = "/internal/second-factor"
_HOLDER = {"key_id": str, "account_id": str, "role": str, "scopes": list, "expires_at": str}


class IdentityClient(PulseClient):
    """The part of pulse's `/internal` API that is about who may do what. Every method raises PulseError."""

    def __init__(self, router: Router, settings: Settings) -> None:
        super().__init__(router)
        # Where many log in, a password waits for its turn to be checked.
        self._login_timeout = settings.pulse_login_timeout

    def login(self, credentials: Mapping[str, Any], address: str) -> dict[str, Any]:
        """A login that has begun: what `_LOGIN` names, and the account's `requests_per_minute` if it has its own.

        With `must_enrol` it may only set up a second factor. `cell` is the tag of its cell.
        """
        asked, cell = {**credentials, "address": address}, self.router.cells.of_user(credentials["username"])
        try:
            answer = self._ask("POST", "/internal/sessions", GATEWAY, {200, 401}, asked, self._login_timeout, cell)
        except UpstreamTimeout:
            raise UpstreamTimeout("the password was not checked in time: log in again") from None
        return _login_of(answer)

    def refresh(self, refresh_token: str, address: str) -> dict[str, Any]:
        """The same login, gone on."""
        made, tag = untagged(refresh_token)
        cell = self.router.cells.named(tag)
        if cell is None:
            raise Unauthorized("the refresh token is not valid")
        given = {"refresh_token": made, "address": address}
        return _login_of(self._ask("POST", "/internal/sessions/refresh", GATEWAY, {200, 401}, given, cell=cell))

    def me(self, who: Caller) -> dict[str, Any]:
        """The account itself, and until when the login lasts, if it is one."""
        query = f"?{urlencode({'session_id': who.session_id})}" if who.session_id else ""
        body = self._ask("GET", f"/internal/me{query}", who, {200}).body
        if body.get("account_id") != who.account_id:
            raise UpstreamError("pulse answered about another account")
        return body

    def log_out(self, who: Caller) -> None:
        self._ask("DELETE", f"/internal/sessions/{quote(who.session_id or '', safe='')}", who, {204})

    def log_out_everywhere(self, who: Caller, query: Mapping[str, str]) -> None:
        self._ask("DELETE", f"/internal/sessions?{urlencode(query)}", who, {204})

    def change_password(self, who: Caller, given: Mapping[str, Any], address: str) -> None:
        asked = {**given, "address": address}
        try:
            self._ask("POST", "/internal/sessions/password", who, {204}, asked, patience_seconds=self._login_timeout)
        except UpstreamTimeout:
            raise UpstreamTimeout("the password was not checked in time; it may have been changed") from None

    def second_factor(self, who: Caller) -> dict[str, Any]:
        return self._ask("GET", _SECOND_FACTOR, who, {200}).body

    def enrol(self, who: Caller, given: Mapping[str, Any], address: str) -> dict[str, Any]:
        return self._ask_with_password(_SECOND_FACTOR, who, 201, given, address)

    def confirm_second_factor(self, who: Caller, given: Mapping[str, Any], address: str) -> dict[str, Any]:
        return self._ask("POST", f"{_SECOND_FACTOR}/confirm", who, {200}, {**given, "address": address}).body

    def renew_recovery_codes(self, who: Caller, given: Mapping[str, Any], address: str) -> dict[str, Any]:
        return self._ask_with_password(f"{_SECOND_FACTOR}/recovery-codes", who, 200, given, address)

    def disable_second_factor(self, who: Caller, given: Mapping[str, Any], address: str) -> None:
        self._ask_with_password(f"{_SECOND_FACTOR}/disable", who, 204, given, address)

    def key_holder(self, api_key: str, tag: str | None) -> dict[str, Any] | None:
        """Whom a key speaks for that the cell of this tag has made, None for a key that does not work."""
        cell = self.router.cells.named(tag)
        if cell is None:
            return None
        answer = self._ask("POST", "/internal/keys/holder", GATEWAY, {200, 401}, {"api_key": api_key}, cell=cell)
        try:
            return _checked(_of_the_user(answer), _HOLDER)
        except Unauthorized:
            return None

    def keys(self, who: Caller, query: Mapping[str, Any]) -> dict[str, Any]:
        return self._listed(f"/internal/keys?{urlencode(query)}", who, "keys")

    def add_key(self, who: Caller, new_key: Mapping[str, Any], address: str) -> dict[str, Any]:
        made = self._ask_with_password("/internal/keys", who, 201, new_key, address)
        return made | {"api_key": tagged(made["api_key"], who.cell)}

    def revoke_key(self, who: Caller, key_id: str) -> dict[str, Any]:
        return self._ask("DELETE", f"/internal/keys/{quote(key_id, safe='')}", who, {200}).body

    def all_keys(self, who: Caller, query: Mapping[str, Any]) -> dict[str, Any]:
        return self._listed(f"/internal/keys/all?{urlencode(query)}", who, "keys")

    def revoke_any_key(self, who: Caller, key_id: str) -> dict[str, Any]:
        return self._ask("DELETE", f"/internal/keys/all/{quote(key_id, safe='')}", who, {200}).body

    def users(self, who: Caller, query: Mapping[str, Any]) -> dict[str, Any]:
        return self._listed(f"/internal/accounts?{urlencode(query)}", who, "users")

    def user(self, who: Caller, account_id: str) -> dict[str, Any]:
        return self._ask("GET", _account(account_id), who, {200}).body

    def add_user(self, who: Caller, new_user: Mapping[str, Any]) -> dict[str, Any]:
        """Make it in the cell that its name leads to: in no other could it log in."""
        cell = self.router.cells.of_user(new_user["username"])
        if named_cell() not in (None, cell):
            rule = f"This name leads to the cell {cell.name}."
            raise InvalidRequest("a user is added in the cell that the name leads to", {"field": HEADER, "rule": rule})
        return self._ask("POST", "/internal/accounts", who, {201}, new_user, cell=cell).body

    def change_user(self, who: Caller, account_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("PATCH", _account(account_id), who, {200}, changes).body

    def user_limits(self, who: Caller, account_id: str, query: Mapping[str, str]) -> dict[str, Any]:
        """What a user may do at most."""
        return self._ask("GET", with_query(f"{_account(account_id)}/limits", query), who, {200}).body

    def set_user_limits(self, who: Caller, account_id: str, stated: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("PUT", f"{_account(account_id)}/limits", who, {200}, stated).body

    def user_policy(self, who: Caller, account_id: str) -> dict[str, Any]:
        """How a user's orders catch up that do not state it."""
        return self._ask("GET", f"{_account(account_id)}/policy", who, {200}).body

    def set_user_policy(self, who: Caller, account_id: str, stated: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("PUT", f"{_account(account_id)}/policy", who, {200}, stated).body

    def log_user_out(self, who: Caller, account_id: str, query: Mapping[str, str]) -> None:
        self._ask("DELETE", f"{_account(account_id)}/sessions?{urlencode(query)}", who, {204})

    def remove_second_factor(self, who: Caller, account_id: str) -> None:
        self._ask("DELETE", f"{_account(account_id)}/second-factor", who, {204})

    def offboard(self, who: Caller, account_id: str, wish: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("POST", f"{_account(account_id)}/offboard", who, {200}, wish).body

    def news_of(self, cell: Cell) -> "NewsOfCell":
        """What is revoked there."""
        return NewsOfCell(self, cell)

    def revocations(self, cell: Cell, after: int, limit: int) -> dict[str, Any]:
        """What was revoked in a cell after the one with this id, and the id of the latest."""
        path = f"/internal/revocations?after={after}&limit={limit}"
        return self._ask("GET", path, GATEWAY, {200}, cell=cell).body

    def revoke(self, subject: Mapping[str, str], actor: str) -> None:
        """Revoke a `jti`, or everything of an `account_id`, for a sibling service, which cannot tell in which cell."""
        self.router.ask_each(Call("POST", "/internal/revocations", GATEWAY, {204}, {**subject, "actor": actor}))

    def _ask_with_password(
        self, path: str, who: Caller, expected: int, given: Mapping[str, Any], address: str
    ) -> dict[str, Any]:
        asked = {**given, "address": address}
        return self._ask("POST", path, who, {expected}, asked, patience_seconds=self._login_timeout).body

    def _listed(self, path: str, who: Caller, name: str) -> dict[str, Any]:
        body = self._ask("GET", path, who, {200}).body
        if not isinstance(body.get(name), list):
            raise UpstreamError(f"pulse gave an answer without {name}")
        return body


class NewsOfCell:
    """The revocations of one cell; whether it answers is noted by the way."""

    def __init__(self, client: IdentityClient, cell: Cell) -> None:
        self._client = client
        self._cell = cell

    def revocations(self, after: int, limit: int) -> dict[str, Any]:
        """What was revoked after the one with this id, and the id of the latest. Raises PulseError."""
        try:
            news = self._client.revocations(self._cell, after, limit)
        except PulseError:
            self._client.router.note_away(self._cell, is_away=True)
            raise
        self._client.router.note_away(self._cell, is_away=False)
        return news


def identity() -> IdentityClient:
    """The client of the running app."""
    return cast("IdentityClient", current_app.extensions["pulse"])


def _login_of(answer: Answer) -> dict[str, Any]:
    login, tag = _checked(_of_the_user(answer), _LOGIN), answer.cell.tag
    return login | {"refresh_token": tagged(login["refresh_token"], tag), "cell": tag}


def _of_the_user(answer: Answer) -> dict[str, Any]:
    if answer.status == 200:
        return answer.body
    refusal = refusal_of(answer.body)
    if refusal.get("details", {}).get("reason") == "credentials":
        raise Unauthorized(refusal["message"])
    if refusal.get("code") == SecondFactorRequired.code:
        raise SecondFactorRequired(refusal["message"], refusal["details"])
    raise UpstreamError("pulse did not accept the gateway's call")


def _checked(body: dict[str, Any], shape: Mapping[str, type]) -> dict[str, Any]:
    if not all(isinstance(body.get(name), kind) for name, kind in shape.items()) or body["role"] not in SCOPES:
        raise UpstreamError("pulse did not say who this is")
    if not is_own_limit(body.get("requests_per_minute")):
        raise UpstreamError("pulse did not say how often this account may ask")
    return body


def _account(account_id: str) -> str:
    return f"/internal/accounts/{quote(account_id, safe='')}"
