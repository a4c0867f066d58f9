"""What sibling services ask the gateway about tokens, and that nobody else can."""

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.contract.client import Account, Service, error_of
from tests.contract.logins import log_in
from tests.contract.siblings import sibling_token

INTROSPECT, REVOKE = "/internal/tokens/introspect", "/internal/tokens/revoke"


@pytest.fixture
def ask(gapi: Service) -> Callable[..., requests.Response]:
    def send(path: str, question: dict[str, Any], /, **overrides: Any) -> requests.Response:
        body = json.dumps(question).encode()
        token = sibling_token(path, body, **overrides)
        headers = gapi.bearer(token) | {"Content-Type": "application/json"}
        return gapi.send("POST", path, headers=headers, data=body)

    return send


Ask = Callable[..., requests.Response]


def test_a_live_token_is_described(gapi: Service, trader: Account, ask: Ask) -> None:
    login = log_in(gapi, trader)
    answer = ask(INTROSPECT, {"token": login.access_token})
    said = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert (said["active"], said["sub"], said["role"]) == (True, trader.account_id, "trader")
    assert said["token_type"] == "access_token"
    assert said["scope"] == "events:read orders:read orders:write webhooks:write"
    assert said["exp"] - said["iat"] == 900


def test_an_api_key_is_described(gapi: Service, trader: Account, ask: Ask) -> None:
    login = log_in(gapi, trader)
    made = login.make_key()
    said = ask(INTROSPECT, {"token": made["api_key"]}).json()
    assert (said["active"], said["jti"], said["scope"]) == (True, made["key_id"], "orders:read")
    assert said["token_type"] == "api_key"


def test_of_any_other_token_nothing_is_said_but_that_it_is_not_active(gapi: Service, trader: Account, ask: Ask) -> None:
    now = int(time.time())
    login = log_in(gapi, trader)
    login.send("POST", "/api/auth/logout")
    for token in (
        login.access_token, login.refresh_token, "x", "pk_x", "e30.e30.", gapi.token(trader, aud="x"),
        gapi.token(trader, iat=now - 60, exp=now - 30), gapi.token(trader, type=None),
    ):  # fmt: skip
        answer = ask(INTROSPECT, {"token": token})
        assert (answer.status_code, answer.json()) == (200, {"active": False}), token


def test_one_token_is_revoked_by_its_id(gapi: Service, trader: Account, ask: Ask) -> None:
    login = log_in(gapi, trader)
    other = log_in(gapi, trader)
    assert ask(REVOKE, {"jti": ask(INTROSPECT, {"token": login.access_token}).json()["jti"]}).status_code == 204
    assert (login.is_believed(), other.is_believed()) == (False, True)
    assert login.refresh().status_code == 200, "its login goes on"


def test_an_account_is_revoked_with_everything(gapi: Service, trader: Account, ask: Ask) -> None:
    login = log_in(gapi, trader)
    assert ask(REVOKE, {"account_id": trader.account_id}).status_code == 204
    assert not login.is_believed()
    assert login.refresh().status_code == 401


@pytest.mark.parametrize(
    "question", [{}, {"jti": "x", "account_id": "acc_01J00000000000000000000000"}, {"jti": "\u0661"}, {"jti": 7}]
)
def test_a_revocation_names_one_thing(ask: Ask, question: dict[str, Any]) -> None:
    assert error_of(ask(REVOKE, question))[:2] == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "pulse"}, {"aud": None}, {"iss": "gapi"}, {"iss": None}, {"iss": "a b"}, {"method": "GET"},
        {"path": "/internal/tokens/revoke?x=1"}, {"path": None}, {"body_sha256": "0" * 64}, {"exp": 1}, {"jti": None},
        {"exp": 9_999_999_999},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_for_something_else_opens_nothing(trader: Account, ask: Ask, claims: dict[str, Any]) -> None:
    assert error_of(ask(REVOKE, {"account_id": trader.account_id}, **claims))[:2] == (401, "UNAUTHORIZED")


def test_a_token_is_used_once(trader: Account, ask: Ask) -> None:
    jti = secrets.token_hex(8)
    assert ask(INTROSPECT, {"token": "x"}, jti=jti).status_code == 200
    assert error_of(ask(INTROSPECT, {"token": "x"}, jti=jti))[:2] == (401, "UNAUTHORIZED")


def test_no_token_of_a_user_opens_it(gapi: Service, pulse: Service, trader: Account) -> None:
    login = log_in(gapi, trader)
    made = login.make_key()
    for token in (login.access_token, made["api_key"], pulse.token(trader, "POST", INTROSPECT, b"{}")):
        answer = gapi.send("POST", INTROSPECT, headers=gapi.bearer(token), json={"token": "x"})
        assert error_of(answer)[:2] == (401, "UNAUTHORIZED")
    assert error_of(gapi.send("POST", REVOKE, json={"jti": "x"}))[:2] == (401, "UNAUTHORIZED")
