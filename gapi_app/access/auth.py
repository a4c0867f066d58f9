"""Who calls, by access token or API key, and what they may do. pulse asks the same again."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app, g, request

from api_contract.bearer import bearer
from api_contract.replays import UsedTokens
from api_contract.scopes import Caller
from gapi_app.access.api_keys import PREFIX, KeyHolders
from gapi_app.access.revocations import Revocations
from gapi_app.access.signing import KeySet
from gapi_app.access.tokens import AccessTokens, Identity
from gapi_app.identity.client import IdentityClient


@dataclass(frozen=True)
class Access:
    """What it takes to know a caller."""

    tokens: AccessTokens
    holders: KeyHolders
    revocations: Revocations
    used_service_tokens: UsedTokens

    def read(self, text: str) -> Identity:
        """The caller of an access token or API key. Raises Unauthorized, or another PulseError without pulse."""
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


def caller() -> Caller:
    """The account that this request is made for."""
    return cast("Identity", g.identity).caller
