from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask, request
from hypothesis import given
from hypothesis import strategies as st

from api_contract.errors import Unauthorized
from api_contract.replays import UsedTokens
from api_contract.scopes import GATEWAY, Caller, Scope
from api_contract.service_keys import read_public_keys
from api_contract.service_tokens import check_request
from pulse_app.service_tokens import caller_of, read_service_token
from pulse_core.errors import DatabaseUnavailable
from tests.support.service_token import READER_KEY, SIBLING_KEY, service_claims, service_keys, signed

VARIABLES = service_keys()
KEY, KEYS = VARIABLES["PULSE_SERVICE_PRIVATE_KEY"], read_public_keys(VARIABLES["PULSE_SERVICE_PUBLIC_KEYS"])
ACCOUNT = "acc_01J00000000000000000000000"
NOW = partial(datetime.now, UTC)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), lambda inner: st.lists(inner)
)


def token(**changes: Any) -> str:
    claims = service_claims(ACCOUNT, "trader", "POST", "/internal/orders?x=%41", b"{}")
    return signed(KEY, claims | changes)


def test_a_token_of_the_gateway_names_its_caller() -> None:
    scopes = frozenset({Scope.ORDERS_READ, Scope.ORDERS_WRITE, Scope.EVENTS_READ, Scope.WEBHOOKS_WRITE})
    assert caller_of(read_service_token(token(), KEYS, NOW).claims) == Caller(ACCOUNT, "trader", scopes)
    assert caller_of(read_service_token(token(sub="gapi", role="gapi", scope=""), KEYS, NOW).claims) == GATEWAY


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
    claims = read_service_token(token(path="/internal/orders/%C3%A9?x=%41"), KEYS, NOW).claims
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
        read_service_token(token(**claims), KEYS, NOW)


@pytest.mark.parametrize("subject", ["", "gap", "acc_", "acc_01j00000000000000000000000", ACCOUNT + "\n", "' OR 1=1"])
def test_no_other_subject_is_believed(subject: str) -> None:
    with pytest.raises(Unauthorized):
        read_service_token(token(sub=subject), KEYS, NOW)


@pytest.mark.parametrize("seconds", [-34, -4, -1, 0, 1, 4])
def test_a_clock_that_is_off_by_less_than_the_leeway_refuses_nothing(seconds: int) -> None:
    now = datetime(2026, 11, 23, 4, 0, 0, 999_999, tzinfo=UTC)
    made = int((now + timedelta(seconds=seconds)).timestamp())
    assert read_service_token(token(iat=made, exp=made + 30), KEYS, lambda: now).claims["sub"] == ACCOUNT


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
        read_service_token(token(**instants), KEYS, lambda: now)
    assert refused.value.details == {"clock_off_seconds": off}


def test_what_is_no_token_is_refused_without_a_clock() -> None:
    def away() -> datetime:
        raise DatabaseUnavailable("away")

    with pytest.raises(Unauthorized):
        read_service_token("e30.e30.", KEYS, away)
    with pytest.raises(DatabaseUnavailable):
        read_service_token(token(), KEYS, away)


@given(name=st.sampled_from(["iss", "aud", "sub", "role", "iat", "exp"]), value=_JSON)
def test_any_other_value_of_a_claim_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Unauthorized):
        read_service_token(token(**{name: value}), KEYS, NOW)


@given(text=st.text())
def test_any_text_is_refused_as_a_token(text: str) -> None:
    with pytest.raises(Unauthorized):
        read_service_token(text, KEYS, NOW)


def of_reader(**changes: Any) -> str:
    claims = service_claims(ACCOUNT, "viewer", "GET", "/internal/orders")
    return signed(READER_KEY, claims | {"iss": "statements", "scope": "orders:read"} | changes)


def test_a_sibling_calls_for_an_account_within_its_rights() -> None:
    found = read_service_token(of_reader(), KEYS, NOW)
    assert caller_of(found.claims) == Caller(ACCOUNT, "viewer", frozenset({Scope.ORDERS_READ}))
    assert (found.issuer, found.rights) == ("statements", {"orders:read"})


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "orders:read orders:write"}, {"scope": "events:read"}, {"role": "operator"}, {"role": "admin"},
        {"sub": "gapi", "role": "gapi", "scope": ""}, {"iss": "gapi"}, {"iss": "risk"}, {"iss": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_sibling_cannot_take_what_it_has_no_right_to(changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        read_service_token(of_reader(**changes), KEYS, NOW)


@pytest.mark.parametrize("kid", ["gapi-1", "risk-1", "nobody", "", None])
def test_a_key_is_believed_under_its_own_name_alone(kid: str | None) -> None:
    with pytest.raises(Unauthorized):
        read_service_token(signed(READER_KEY, service_claims(ACCOUNT, "trader", "GET", "/"), kid=kid), KEYS, NOW)


def test_ids_of_tokens_are_those_of_their_service() -> None:
    ours, theirs = token(jti="1"), of_reader(jti="1")
    assert read_service_token(ours, KEYS, NOW).once != read_service_token(theirs, KEYS, NOW).once


def test_a_sibling_of_the_gateway_alone_opens_nothing_of_pulse() -> None:
    claims = service_claims(ACCOUNT, "viewer", "GET", "/internal/orders") | {"iss": "risk", "scope": "orders:read"}
    with pytest.raises(Unauthorized):
        read_service_token(signed(SIBLING_KEY, claims), KEYS, NOW)
