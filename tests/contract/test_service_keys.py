"""Each service has a key of its own: rotated without an outage, and good for what it may do alone."""

import json

import jwt
import pytest

from api_contract.service_keys import make_private_key, public_jwk, public_keys
from tests.contract.client import Account, Service, error_of, new_order
from tests.contract.siblings import sibling_token
from tests.support.processes import Processes
from tests.support.service_token import READER, READER_KEY, SIBLING_KEY, service_claims, signed

INTROSPECT, REVOKE = "/internal/tokens/introspect", "/internal/tokens/revoke"
JSON = {"Content-Type": "application/json"}


def test_a_key_is_rotated_without_an_outage(processes: Processes, trader: Account) -> None:
    old, new = make_private_key("gapi", "gapi-old"), make_private_key("gapi", "gapi-new")
    known = [public_jwk(old, ["gateway"]), public_jwk(new, ["gateway"])]

    # First pulse learns the new key. Then each gateway may change at its time.
    child, url = processes.pulse(PULSE_SERVICE_PUBLIC_KEYS=public_keys(*known))
    for key in (old, new, old):
        assert Service("pulse", url, key, child.log_path).place(trader).status_code == 201
    log, here = processes.gapi(PULSE_URL=url, PULSE_SERVICE_PRIVATE_KEY=new)
    assert Service("gapi", here, processes.environment["PULSE_JWT_KEY"], log.log_path).place(trader).status_code == 202

    # Then the old key goes.
    child, url = processes.pulse(PULSE_SERVICE_PUBLIC_KEYS=public_keys(known[1]))
    assert Service("pulse", url, new, child.log_path).place(trader).status_code == 201
    assert error_of(Service("pulse", url, old, child.log_path).place(trader))[:2] == (401, "UNAUTHORIZED")


def reading(pulse: Service, account: Account, method: str, path: str, body: bytes = b"", **changes: object) -> object:
    claims = service_claims(account.account_id, "viewer", method, path, body)
    token = signed(READER_KEY, claims | {"iss": READER, "scope": "orders:read"} | changes)
    return pulse.send(method, path, headers=pulse.bearer(token) | (JSON if body else {}), data=body)


def test_a_sibling_reads_orders_of_an_account_and_does_nothing_else(
    pulse: Service, trader: Account, new_account: object
) -> None:
    path = pulse.place(trader).headers["Location"]
    order = json.dumps(new_order()).encode()
    assert [one.status_code for one in (reading(pulse, trader, "GET", at) for at in (path, pulse.orders))] == [200, 200]
    other = new_account()
    assert error_of(reading(pulse, other, "GET", path))[0] == 404
    for method, at, body in (
        ("POST", pulse.orders, order), ("DELETE", path, b""), ("GET", "/internal/me", b""),
        ("GET", "/internal/installation", b""), ("GET", "/internal/keys", b""), ("GET", "/internal/accounts", b""),
        ("DELETE", "/internal/sessions", b""), ("GET", "/internal/alarms", b""), ("GET", "/internal/revocations", b""),
        ("POST", "/internal/me/password", b"{}"), ("GET", "/internal/webhooks", b""),
    ):  # fmt: skip
        refused = reading(pulse, trader, method, at, body)
        assert refused.status_code in (403, 404, 405), (method, at)
        assert refused.status_code == 403 or at in ("/internal/me", "/internal/me/password"), (method, at)
    for changes in ({"role": "operator"}, {"role": "admin"}, {"sub": "gapi", "role": "gapi", "scope": ""}):
        assert error_of(reading(pulse, trader, "GET", pulse.orders, **changes))[0] == 401
    assert len(pulse.send("GET", pulse.orders, trader).json()["orders"]) == 1


def ask(gapi: Service, path: str, key: str, **claims: object) -> tuple[int, str, dict[str, object]] | int:
    body = json.dumps({"jti": "x"} if path == REVOKE else {"token": "x"}).encode()
    token = sibling_token(path, body, key=key, **claims)
    answer = gapi.send("POST", path, headers=gapi.bearer(token) | JSON, data=body)
    return error_of(answer) if answer.status_code >= 400 else answer.status_code


def test_a_sibling_asks_the_gateway_only_what_it_has_a_right_to(processes: Processes, pulse: Service) -> None:
    asking, unknown = make_private_key("desk", "desk-1"), make_private_key("desk", "desk-1")
    known = public_keys(public_jwk(asking, ["tokens:introspect"]))
    child, url = processes.gapi(PULSE_URL=pulse.url, PULSE_SERVICE_PUBLIC_KEYS=known)
    gapi = Service("gapi", url, "", child.log_path)
    assert ask(gapi, INTROSPECT, asking, iss="desk") == 200
    assert ask(gapi, REVOKE, asking, iss="desk")[:2] == (403, "FORBIDDEN")  # type: ignore[index]
    for key, issuer in ((asking, "risk"), (unknown, "desk"), (SIBLING_KEY, "risk")):
        assert ask(gapi, INTROSPECT, key, iss=issuer)[:2] == (401, "UNAUTHORIZED")  # type: ignore[index]


@pytest.mark.parametrize("key", ["k" * 64, ""])
def test_no_shared_key_opens_anything_any_more(gapi: Service, pulse: Service, trader: Account, key: str) -> None:
    claims = service_claims(trader.account_id, "admin", "GET", pulse.orders)
    for header in ({}, {"kid": "gapi-1"}):
        token = jwt.encode(claims, key or None, algorithm="HS256" if key else "none", headers=header)
        assert error_of(pulse.send("GET", pulse.orders, headers=pulse.bearer(token)))[:2] == (401, "UNAUTHORIZED")
