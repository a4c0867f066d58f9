"""An account's own limit: how a token carries it, and which limit is the stricter."""

import secrets
import time
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from flask import Flask
from pydantic import SecretStr

from api_contract.errors import Unauthorized
from gapi_app.access.signing import load_keys
from gapi_app.access.tokens import AccessTokens
from gapi_app.errors import UpstreamError
from gapi_app.guard.limits import stricter
from gapi_app.identity.client import IdentityClient
from gapi_app.upstream import Answer

KEY = secrets.token_urlsafe(32)
ACCOUNT_ID = "acc_01J00000000000000000000000"
HOLDER = {"key_id": "key_1", "account_id": ACCOUNT_ID, "role": "trader", "scopes": [], "expires_at": "2030-01-01"}


@pytest.fixture
def app() -> Flask:
    return Flask("tokens")


@pytest.fixture
def tokens(app: Flask) -> AccessTokens:
    return AccessTokens(app, load_keys(SecretStr(KEY), None), 900)


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    who = {"iss": "gapi", "aud": "gapi-api", "type": "access", "sub": ACCOUNT_ID, "role": "trader"}
    return who | {"sid": "ses_1", "gen": 1, "jti": "j", "iat": now, "exp": now + 30} | more


@pytest.mark.parametrize("own_limit", [None, 1, 300, 1_000_000])
def test_a_token_carries_the_limit_that_it_was_made_with(
    app: Flask, tokens: AccessTokens, own_limit: int | None
) -> None:
    with app.app_context():
        text = tokens.issue(ACCOUNT_ID, "trader", "ses_1", 1, own_limit)
    assert tokens.read(text).requests_per_minute == own_limit


def test_a_token_without_a_limit_is_still_good(tokens: AccessTokens) -> None:
    assert tokens.read(jwt.encode(claims(), KEY, "HS256")).requests_per_minute is None


@pytest.mark.parametrize("value", [0, -1, 1_000_001, 10**30, "300", 300.0, True, None, [300], {}], ids=str)
def test_a_token_with_a_limit_that_is_none_is_refused(tokens: AccessTokens, value: Any) -> None:
    with pytest.raises(Unauthorized):
        tokens.read(jwt.encode(claims(rpm=value), KEY, "HS256"))


@pytest.mark.parametrize("value", [0, 1_000_001, "300", 300.0, True])
def test_a_limit_that_is_none_is_not_taken_from_pulse(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    client = IdentityClient.__new__(IdentityClient)
    cell: Any = object()
    monkeypatch.setattr(
        client, "router", SimpleNamespace(cells=SimpleNamespace(named=lambda _tag: cell)), raising=False
    )
    monkeypatch.setattr(client, "_ask", lambda *_, **__: Answer(200, HOLDER | {"requests_per_minute": value}, cell))
    with pytest.raises(UpstreamError):
        client.key_holder("pk_1", None)


@pytest.mark.parametrize(
    ("installation", "own", "expected"),
    [
        ("600/minute", None, "600/minute"),
        ("600/minute", 599, "599/minute"),
        ("600/minute", 601, "600/minute"),
        ("20/second", 1199, "1199/minute"),
        ("20/second", 1200, "20/second"),
        ("90/hour", 1, "1/minute"),
        ("90/hour", 2, "90/hour"),
        ("off", 5, "5/minute"),
        ("off", None, "off"),
    ],
)
def test_the_stricter_limit_is_found_across_units(installation: str, own: int | None, expected: str) -> None:
    assert stricter(installation, own) == expected
