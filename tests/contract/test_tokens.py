"""Whom the services believe."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from json import dumps
from typing import Any

import jwt
import pytest

from api_contract.service_keys import read_private_key
from tests.contract.client import Account, Service, error_of
from tests.support.service_token import signed

INSTANTS = {"iat", "exp", "nbf"}


def refused(service: Service, token: str) -> None:
    answer = service.send("GET", service.orders, headers={"Authorization": f"Bearer {token}"})
    assert error_of(answer)[:2] == (401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": -60},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 600, "exp": 630},
        {"iat": None},
        {"aud": "someone"},
        {"aud": None},
        {"iss": "someone"},
        {"iss": None},
        {"sub": None},
        {"sub": 7},
        {"role": None},
        {"role": "emperor"},
        {"role": ["trader"]},
        {"jti": None},
        {"jti": ""},
        {"type": None, "method": None},
        {"type": "refresh", "path": "/internal/orders/x"},
        {"sid": None, "body_sha256": "0" * 64},
        {"gen": "1", "scope": None},
        {"nbf": 600},
    ],
    ids=str,
)
def test_a_token_with_wrong_claims_is_refused(service: Service, trader: Account, claims: dict[str, Any]) -> None:
    now = int(time.time())
    instants = {name: now + value for name, value in claims.items() if name in INSTANTS and isinstance(value, int)}
    refused(service, service.token(trader, **(claims | instants)))


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer a b", "bearer x", "Bearer é", ",,,"]
)
def test_no_token_is_refused(service: Service, authorization: str) -> None:
    answer = service.send("GET", service.orders, headers={"Authorization": authorization.encode("latin-1")})  # type: ignore[dict-item]
    assert error_of(answer)[:2] == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("token", ["x", "a.b.c", "e30.e30.", "....", "eyJhbGciOiJub25lIn0.e30.", "x" * 5_000])
def test_what_is_no_token_is_refused(service: Service, token: str) -> None:
    refused(service, token)


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "HS512"}, {"alg": ["HS256"]}, {"alg": "HS256", "kid": 7}, {"crit": ["x"]}]
)
def test_another_algorithm_or_header_is_refused(service: Service, trader: Account, header: dict[str, Any]) -> None:
    parts = [urlsafe_b64encode(dumps(part).encode()).rstrip(b"=").decode() for part in (header, service.claims(trader))]
    refused(service, ".".join([*parts, "c2ln"]))
    refused(service, ".".join([*parts, ""]))


def test_another_key_or_algorithm_with_the_right_key_is_refused(
    service: Service, trader: Account, environment: dict[str, str]
) -> None:
    claims = service.claims(trader)
    refused(service, jwt.encode(claims, "another key of more than 32 bytes length", algorithm="HS256"))
    refused(service, jwt.encode(claims, service.key.ljust(64, "x")[:64], algorithm="HS512"))
    # A public key is known: it must not pass for the key of another algorithm.
    public = read_private_key(environment["PULSE_SERVICE_PRIVATE_KEY"]).private.public_key().public_bytes_raw()
    refused(service, jwt.encode(claims, public, algorithm="HS256", headers={"kid": "gapi-1"}))


def test_a_token_of_one_service_means_nothing_to_the_other(gapi: Service, pulse: Service, trader: Account) -> None:
    refused(gapi, pulse.token(trader))
    refused(pulse, gapi.token(trader))
    refused(gapi, jwt.encode(pulse.claims(trader), gapi.key, algorithm="HS256"))
    refused(pulse, signed(pulse.key, gapi.claims(trader)))


def test_a_refresh_token_opens_nothing(gapi: Service, trader: Account) -> None:
    refused(gapi, gapi.token(trader, type="refresh"))


def test_a_service_token_lives_a_minute_at_most(pulse: Service, trader: Account) -> None:
    now = int(time.time())
    refused(pulse, pulse.token(trader, iat=now, exp=now + 61))
    refused(pulse, pulse.token(trader, iat=float(now), exp=now + 30.5))
    assert pulse.send("GET", pulse.orders, trader).status_code == 200


def test_a_token_is_looked_at_before_the_body(service: Service) -> None:
    assert error_of(service.send("POST", service.orders, data=b"{"))[:2] == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("name", "value"), [("password", "wrong"), ("username", "nobody"), ("username", "no\u20acbody")]
)
def test_wrong_credentials_are_refused_without_saying_which(
    gapi: Service, trader: Account, name: str, value: str
) -> None:
    body = {"username": trader.username, "password": trader.password} | {name: value}
    answer = gapi.send("POST", "/api/auth/login", json=body)
    assert error_of(answer) == (401, "UNAUTHORIZED", {})
    assert answer.json()["error"]["message"] == "username or password is wrong"


@pytest.mark.parametrize(
    "body", [{}, {"username": "x"}, {"username": 1, "password": 2}, {"username": "x", "password": "y", "z": 1}]
)
def test_a_malformed_login_is_an_invalid_request(gapi: Service, body: dict[str, Any]) -> None:
    assert error_of(gapi.send("POST", "/api/auth/login", json=body))[:2] == (400, "INVALID_REQUEST")


def test_only_the_gateway_itself_checks_credentials(pulse: Service, trader: Account) -> None:
    body = {"username": trader.username, "password": trader.password}
    assert error_of(pulse.send("POST", "/internal/sessions", trader, json=body))[:2] == (403, "FORBIDDEN")
    assert error_of(pulse.send("POST", "/internal/sessions", json=body))[:2] == (401, "UNAUTHORIZED")
    gateway = Account("gapi", "", "", "gapi")
    named = pulse.send("POST", "/internal/sessions", gateway, json=body).json()
    assert (named["account_id"], named["username"], named["role"]) == (trader.account_id, trader.username, "trader")
    assert error_of(pulse.send("GET", pulse.orders, gateway))[:2] == (403, "FORBIDDEN")


def test_an_account_that_is_none_trades_nothing(pulse: Service, new_account: Callable[..., Account]) -> None:
    ghost = Account("acc_01J00000000000000000000000", "ghost", "", "trader")
    assert pulse.send("GET", pulse.orders, ghost).json()["orders"] == []
    assert error_of(pulse.place(ghost))[:2] == (401, "UNAUTHORIZED")
