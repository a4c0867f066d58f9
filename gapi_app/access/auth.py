"""Who calls, by access token or API key, and what they may do. pulse asks the same again."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app, g, request

from api_contract.account_rules import is_within
from api_contract.bearer import bearer
from api_contract.errors import Forbidden, PulseError, ServiceUnavailable, Unauthorized
from api_contract.replays import UsedTokens
from api_contract.scopes import Caller
from gapi_app.access.api_keys import PREFIX, KeyHolders
from gapi_app.access.revocations import Revocations, RevocationsOfCells
from gapi_app.access.signing import KeySet
from gapi_app.access.tokens import AccessTokens, Identity
from gapi_app.identity.client import IdentityClient


@dataclass(frozen=True)
class Access:
    """What it takes to know a caller."""

    tokens: AccessTokens
    holders: KeyHolders
    revocations: RevocationsOfCells
    used_service_tokens: UsedTokens

    def read(self, text: str) -> Identity:
        """The caller of an access token or API key. Raises Unauthorized, or another PulseError without pulse."""
        if not text.startswith(PREFIX):
            identity = self.tokens.read(text)
        else:
            identity = self.holders.read(text)
            if self.revocations.has_changed(identity):
                identity = self.holders.ask_again(text)
        self.revocations.check(identity)
        return identity

    def is_over(self, text: str, identity: Identity) -> bool:
        """Whether what was read from an access token or API key a while ago holds no more, as far as is known."""
        try:
            self.revocations.check(identity)
            if text.startswith(PREFIX) and self.revocations.has_changed(identity):
                return self.read(text).caller != identity.caller
        except Unauthorized:
            return True
        except PulseError:
            # Without pulse there is no news either, of this or of anything else.
            return False
        return False

    def known(self, authorization: str) -> Identity | None:
        """Whom this header speaks for, as far as that is known without asking pulse."""
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            identity = self.holders.known(text) if text.startswith(PREFIX) else self.tokens.read(text)
            if identity is None:
                return None
            self.revocations.check(identity)
        except (Unauthorized, ServiceUnavailable):
            return None
        return identity


def set_up_access(app: Flask, keys: KeySet, client: IdentityClient, token_lifetime_seconds: int) -> Access:
    """Give the app its keys, caches and the thread that learns of revocations."""
    by_tag = {cell.tag: Revocations(client.news_of(cell), token_lifetime_seconds) for cell in client.router.cells}
    revocations = RevocationsOfCells(by_tag)
    tokens = AccessTokens(app, keys, token_lifetime_seconds)
    app.extensions["access"] = known = Access(tokens, KeyHolders(client), revocations, UsedTokens())
    revocations.follow()
    return known


def access() -> Access:
    """That of the running app."""
    return cast("Access", current_app.extensions["access"])


def require_token() -> None:
    """For `before_request`: no view below runs without a valid access token or API key."""
    if request.method == "OPTIONS":
        return
    identity = access().read(bearer("an access token or API key"))
    if not is_within(request.remote_addr, identity.networks):
        raise Forbidden("the API key may not be used from this address", {"needed": "networks"})
    g.identity = identity


def caller() -> Caller:
    """The account that this request is made for."""
    return cast("Identity", g.identity).caller
