"""A service token is good for one request, and one that changes something for one time."""

import json

import jwt
import pytest

from tests.contract.client import Account, Service, error_of, new_order

JSON = {"Content-Type": "application/json"}


def placing(pulse: Service, trader: Account, body: bytes, /, **overrides: object) -> dict[str, str]:
    return pulse.bearer(pulse.token(trader, "POST", pulse.orders, body, **overrides)) | JSON


def is_refused(pulse: Service, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bool:
    answer = pulse.send(method, path, headers=headers, data=body)
    return error_of(answer)[:2] == (401, "UNAUTHORIZED")


def test_a_replayed_token_is_refused_and_makes_nothing(pulse: Service, trader: Account) -> None:
    body = json.dumps(new_order()).encode()
    headers = placing(pulse, trader, body)
    assert pulse.send("POST", pulse.orders, headers=headers, data=body).status_code == 201
    assert is_refused(pulse, "POST", pulse.orders, headers, body)
    assert len(pulse.send("GET", pulse.orders, trader).json()["orders"]) == 1


def test_a_replayed_cancellation_is_refused(pulse: Service, trader: Account) -> None:
    path = pulse.place(trader).headers["Location"]
    headers = pulse.bearer(pulse.token(trader, "DELETE", path))
    assert pulse.send("DELETE", path, headers=headers).status_code == 202
    assert is_refused(pulse, "DELETE", path, headers)


def test_a_changed_body_is_refused(pulse: Service, trader: Account) -> None:
    body = json.dumps(new_order(total_quantity=100)).encode()
    changed = body.replace(b"100", b"900")
    assert is_refused(pulse, "POST", pulse.orders, placing(pulse, trader, body), changed)
    assert is_refused(pulse, "POST", pulse.orders, placing(pulse, trader, body), body + b" ")
    assert pulse.send("GET", pulse.orders, trader).json()["orders"] == []


def test_a_token_is_for_no_other_path_method_or_query(pulse: Service, trader: Account) -> None:
    path = pulse.place(trader).headers["Location"]
    reading = pulse.bearer(pulse.token(trader, "GET", path))
    assert pulse.send("GET", path, headers=reading).status_code == 200
    assert is_refused(pulse, "DELETE", path, reading)
    assert is_refused(pulse, "GET", f"{path}/slices", reading)
    assert is_refused(pulse, "GET", f"{path}?x=1", reading)
    listing = pulse.bearer(pulse.token(trader, "GET", f"{pulse.orders}?limit=1"))
    assert is_refused(pulse, "GET", f"{pulse.orders}?limit=200", listing)


@pytest.mark.parametrize("name", ["method", "path", "body_sha256", "scope", "jti", "sub", "role"])
def test_every_claim_is_needed(pulse: Service, trader: Account, name: str) -> None:
    body = json.dumps(new_order()).encode()
    assert is_refused(pulse, "POST", pulse.orders, placing(pulse, trader, body, **{name: None}), body)


def test_a_scope_beyond_the_role_gives_nothing(pulse: Service, trader: Account) -> None:
    viewer = Account(trader.account_id, "", "", "viewer")
    body = json.dumps(new_order()).encode()
    answer = pulse.send("POST", pulse.orders, headers=placing(pulse, viewer, body, scope="orders:write"), data=body)
    assert error_of(answer)[:2] == (403, "FORBIDDEN")
    answer = pulse.send("POST", pulse.orders, headers=placing(pulse, trader, body, scope="orders:read"), data=body)
    assert error_of(answer)[:2] == (403, "FORBIDDEN")


def test_pulse_gives_the_gateways_own_calls_to_nobody_else(pulse: Service, trader: Account) -> None:
    for method, path, options in (
        ("GET", "/internal/revocations", {}),
        ("POST", "/internal/revocations", {"json": {"jti": "x", "actor": "x"}}),
        ("POST", "/internal/keys/holder", {"json": {"api_key": "x"}}),
        ("POST", "/internal/sessions/refresh", {"json": {"refresh_token": "x"}}),
    ):
        assert error_of(pulse.send(method, path, trader, **options))[:2] == (403, "FORBIDDEN"), path


def test_the_gateway_binds_its_tokens(gapi: Service, pulse: Service, trader: Account) -> None:
    service_token = jwt.encode(pulse.claims(trader), gapi.key, algorithm="HS256")
    assert is_refused(pulse, "GET", pulse.orders, pulse.bearer(service_token))
    assert gapi.place(trader).status_code == 202
