"""Who calls, by access token or API key, and what they may do. pulse asks the same again."""

from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from flask import Flask, current_app, g, request

from gapi_app.errors import Forbidden, Unauthorized
from gapi_app.identity_client import IdentityClient
from gapi_app.key_holders import PREFIX, KeyHolders
from gapi_app.replays import UsedTokens
from gapi_app.revocations import Revocations
from gapi_app.roles import ADMINISTERS, SCOPES, Caller, Scope
from gapi_app.signing import KeySet
from gapi_app.tokens import AccessTokens, Identity


class Standing(StrEnum):
    """What a caller must be, where no scope says it."""

    LOGIN = "login"
    ADMIN = "admin"


@dataclass(frozen=True)
class Access:
    """What it takes to know a caller."""

    tokens: AccessTokens
    holders: KeyHolders
    revocations: Revocations
    used_service_tokens: UsedTokens

    def read(self, text: str) -> Identity:
        """Whom an access token or an API key speaks for. Raises Unauthorized, or when pulse does not say another."""
        identity = self.holders.read(text) if text.startswith(PREFIX) else self.tokens.read(text)
        self.revocations.check(identity)
        return identity


def set_up_access(app: Flask, keys: KeySet, client: IdentityClient, token_lifetime_seconds: int) -> None:
    """Give the app its keys, caches and the thread that learns of revocations."""
    revocations = Revocations(client, token_lifetime_seconds)
    tokens = AccessTokens(app, keys, token_lifetime_seconds)
    app.extensions["access"] = Access(tokens, KeyHolders(client), revocations, UsedTokens())
    revocations.follow()


def access() -> Access:
    """That of the running app."""
    return cast("Access", current_app.extensions["access"])


def require_token() -> None:
    """For `before_request`: no view below runs without a valid access token or API key."""
    if request.method == "OPTIONS":
        return
    g.identity = access().read(bearer("an access token or API key"))


def bearer(what: str) -> str:
    """The text after `Authorization: Bearer`. Raises Unauthorized, saying what is needed there."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise Unauthorized(f"{what} is needed in Authorization: Bearer")
    return text


def caller() -> Caller:
    """The account that this request is made for."""
    return cast("Identity", g.identity).caller


def check(needed: Scope | Standing) -> None:
    """Raise Forbidden unless the caller has the scope, by role and by API key if any, or the standing."""
    match needed:
        case Scope():
            _check_scope(caller(), needed)
        case Standing.LOGIN:
            _check_login(caller())
        case Standing.ADMIN:
            _check_login(caller())
            _check_admin(caller())


def _check_scope(who: Caller, scope: Scope) -> None:
    if scope not in SCOPES[who.role]:
        raise Forbidden(f"the role {who.role} does not have {scope}", {"role": who.role, "needed": scope})
    if scope not in who.scopes:
        raise Forbidden(f"the API key does not have {scope}", {"needed": scope})


def _check_login(who: Caller) -> None:
    # Keys do not manage keys or people.
    if who.key_id is not None:
        raise Forbidden("an API key may not do this: log in", {"needed": Standing.LOGIN})


def _check_admin(who: Caller) -> None:
    if who.role not in ADMINISTERS:
        raise Forbidden("this needs an admin", {"role": who.role, "needed": Standing.ADMIN})
