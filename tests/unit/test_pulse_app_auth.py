import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import jwt
import pytest
from flask import Flask, request
from hypothesis import given
from hypothesis import strategies as st

from api_contract.errors import Unauthorized
from api_contract.replays import UsedTokens
from api_contract.scopes import GATEWAY, Caller, Scope
from api_contract.service_tokens import check_request
from pulse_app.service_tokens import caller_of, read_gateway_token
from pulse_core.errors import DatabaseUnavailable
from tests.support.service_token import service_claims

KEY = "a key for tests, of more than 32 bytes"
ACCOUNT = "acc_01J00000000000000000000000"
NOW = partial(datetime.now, UTC)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), lambda inner: st.lists(inner)
)


def token(**changes: Any) -> str:
    claims = service_claims(ACCOUNT, "trader", "POST", "/internal/orders?x=%41", b"{}")
    # Not jwt.encode: it refuses to sign some of what an attacker would.
    return jwt.PyJWS().encode(json.dumps(claims | changes).encode(), KEY, algorithm="HS256")


def test_a_token_of_the_gateway_names_its_caller() -> None:
    scopes = frozenset({Scope.ORDERS_READ, Scope.ORDERS_WRITE, Scope.EVENTS_READ, Scope.WEBHOOKS_WRITE})
    assert caller_of(read_gateway_token(token(), KEY, NOW)) == Caller(ACCOUNT, "trader", scopes)
    assert caller_of(read_gateway_token(token(sub="gapi", role="gapi", scope=""), KEY, NOW)) == GATEWAY


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("DELETE", "/internal/orders/é?x=%41", b"{}"),
        ("POST", "/internal/orders/e?x=%41", b"{}"),
        ("POST", "/internal/orders/é?x=A", b"{}"),
        ("POST", "/internal/orders/é?x=%41", b"{} "),
    ],
)
def test_a_token_is_for_one_method_path_query_and_body(method: str, target: str, body: bytes) -> None:
    claims = read_gateway_token(token(path="/internal/orders/%C3%A9?x=%41"), KEY, NOW)
    app = Flask("tokens")
    with app.test_request_context("/internal/orders/é?x=%41", method="POST", data=b"{}"):
        check_request(claims, request)
    with app.test_request_context(target, method=method, data=body), pytest.raises(Unauthorized):
        check_request(claims, request)


def test_a_token_is_used_once_while_it_lives_and_memory_is_bounded() -> None:
    used = UsedTokens(limit=3)
    assert [used.use(jti, expires_at=30, now=0) for jti in "aab"] == [True, False, True]
    assert used.use("a", expires_at=60, now=31)
    assert len(used) == 1
    for jti in "bcdef":
        assert used.use(jti, expires_at=60, now=32)
    assert len(used) == 3


@pytest.mark.parametrize(
    "claims",
    [{"scope": "orders:all"}, {"scope": None}, {"key_id": 7}, {"key_id": "key_1"}, {"jti": ""}, {"jti": "x" * 65}],
    ids=str,
)
def test_claims_that_no_gateway_makes_are_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        read_gateway_token(token(**claims), KEY, NOW)


@pytest.mark.parametrize("subject", ["", "gap", "acc_", "acc_01j00000000000000000000000", ACCOUNT + "\n", "' OR 1=1"])
def test_no_other_subject_is_believed(subject: str) -> None:
    with pytest.raises(Unauthorized):
        read_gateway_token(token(sub=subject), KEY, NOW)


@pytest.mark.parametrize("seconds", [-34, -4, -1, 0, 1, 4])
def test_a_clock_that_is_off_by_less_than_the_leeway_refuses_nothing(seconds: int) -> None:
    now = datetime(2026, 11, 23, 4, 0, 0, 999_999, tzinfo=UTC)
    made = int((now + timedelta(seconds=seconds)).timestamp())
    assert read_gateway_token(token(iat=made, exp=made + 30), KEY, lambda: now)["sub"] == ACCOUNT


@pytest.mark.parametrize(
    ("changes", "said", "off"),
    [
        ({"iat": 60, "exp": 90}, "60 s early: the clock it was made by is ahead of ours", 60),
        ({"iat": -60, "exp": -30}, "ended 30 s ago: it is old, or its maker's clock is behind ours", -30),
        ({"iat": 0, "exp": 30, "nbf": 60}, "60 s early", 60),
        ({"iat": 6, "exp": 36}, "6 s early", 6),
    ],
)
def test_a_token_for_another_time_is_refused_by_naming_the_clock(changes: dict[str, int], said: str, off: int) -> None:
    now = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
    instants = {name: int(now.timestamp()) + seconds for name, seconds in changes.items()}
    with pytest.raises(Unauthorized, match=said) as refused:
        read_gateway_token(token(**instants), KEY, lambda: now)
    assert refused.value.details == {"clock_off_seconds": off}


def test_what_is_no_token_is_refused_without_a_clock() -> None:
    def away() -> datetime:
        raise DatabaseUnavailable("away")

    with pytest.raises(Unauthorized):
        read_gateway_token("e30.e30.", KEY, away)
    with pytest.raises(DatabaseUnavailable):
        read_gateway_token(token(), KEY, away)


@given(name=st.sampled_from(["iss", "aud", "sub", "role", "iat", "exp"]), value=_JSON)
def test_any_other_value_of_a_claim_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Unauthorized):
        read_gateway_token(token(**{name: value}), KEY, NOW)


@given(text=st.text())
def test_any_text_is_refused_as_a_token(text: str) -> None:
    with pytest.raises(Unauthorized):
        read_gateway_token(text, KEY, NOW)
