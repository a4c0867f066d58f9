"""A second factor over HTTP, as a user, an admin and a program meet it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from api_contract.scopes import Role
from pulse_core.clock import utcnow
from tests.contract.client import Account, Service, error_of
from tests.contract.conftest import make_account
from tests.contract.logins import Login, an_address, log_in, try_login
from tests.contract.siblings import sibling_token
from tests.support.processes import Processes
from tests.support.second_factors import Phone, a_phone

FACTOR = "/api/auth/second-factor"


@pytest.fixture(scope="module")
def strict(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Service]]:
    """A site where admins need a second factor."""
    processes = Processes(tmp_path_factory.mktemp("strict"), environment)
    try:
        pulse, pulse_url = processes.pulse(PULSE_SECOND_FACTOR_FOR="admin")
        gapi, url = processes.gapi(PULSE_URL=pulse_url, PULSE_TRUSTED_PROXIES="1")
        yield {
            "gapi": Service("gapi", url, environment["PULSE_JWT_KEY"], gapi.log_path),
            "pulse": Service("pulse", pulse_url, environment["PULSE_SERVICE_PRIVATE_KEY"], pulse.log_path),
        }
    finally:
        processes.close()


def try_with(gapi: Service, account: Account, address: str | None = None, **proof: str) -> requests.Response:
    body = {"username": account.username, "password": account.password, **proof}
    headers = {"X-Forwarded-For": address or an_address()}
    return gapi.send("POST", "/api/auth/login", headers=headers, json=body)


def enter(gapi: Service, account: Account, **proof: str) -> Login:
    answer = try_with(gapi, account, **proof)
    assert answer.status_code == 200, answer.text
    return Login(gapi, answer.json()["access_token"], answer.json()["refresh_token"], account.password)


def set_up(login: Login, account: Account) -> Phone:
    """Enrol, and confirm with the present code."""
    offered = login.send("POST", FACTOR, json={"password": account.password})
    assert (offered.status_code, offered.headers["Cache-Control"]) == (201, "no-store")
    assert offered.json()["secret"] in offered.json()["otpauth_uri"]
    phone = Phone(offered.json()["secret"])
    confirmed = login.send("POST", f"{FACTOR}/confirm", json={"totp_code": phone.code(utcnow())})
    assert (confirmed.status_code, confirmed.headers["Cache-Control"]) == (200, "no-store")
    return replace(phone, recovery_codes=confirmed.json()["recovery_codes"])


def test_a_user_sets_one_up_logs_in_with_it_and_turns_it_off(gapi: Service, pulse: Service, trader: Account) -> None:
    login = log_in(gapi, trader)
    key = login.make_key()["api_key"]
    phone = set_up(login, trader)
    assert not login.is_believed()
    assert gapi.send("GET", "/api/orders", headers=gapi.bearer(key)).status_code == 200

    assert error_of(try_with(gapi, trader)) == (401, "SECOND_FACTOR_REQUIRED", {"field": "totp_code"})
    wrong = phone.wrong_code(utcnow())
    assert error_of(try_with(gapi, trader, totp_code=wrong))[:2] == (401, "SECOND_FACTOR_REQUIRED")
    code = phone.code(utcnow(), 1)
    login = enter(gapi, trader, totp_code=code)
    assert error_of(try_with(gapi, trader, totp_code=code))[:2] == (401, "SECOND_FACTOR_REQUIRED")
    shown = login.send("GET", FACTOR).json()
    assert (shown["is_on"], shown["recovery_codes_left"], shown["is_required"]) == (True, 10, False)
    first, second, third, *_ = phone.recovery_codes

    new_key = {"name": "bot", "scopes": ["orders:read"], "password": trader.password}
    assert error_of(login.send("POST", "/api/keys", json=new_key)) == (403, "FORBIDDEN", {"field": "totp_code"})
    assert login.send("POST", "/api/keys", json=new_key | {"recovery_code": first}).status_code == 201
    proof = {"password": trader.password, "recovery_code": second}
    renewed = login.send("POST", f"{FACTOR}/recovery-codes", json=proof).json()["recovery_codes"]
    assert error_of(try_with(gapi, trader, recovery_code=third))[:2] == (401, "SECOND_FACTOR_REQUIRED")
    proof = {"password": trader.password, "recovery_code": renewed[0]}
    assert login.send("POST", f"{FACTOR}/disable", json=proof).status_code == 204

    assert not login.is_believed()
    log_in(gapi, trader)
    told = gapi.log.read_text() + pulse.log.read_text()
    for secret in (phone.secret, first, second, third, *renewed, f'"{code}"'):
        assert secret not in told


@pytest.mark.parametrize("proof", [{}, {"totp_code": "000000"}, {"recovery_code": "aaaa-aaaa-aaaa-aaaa"}])
def test_a_wrong_password_is_answered_the_same_with_a_second_factor_and_without(
    gapi: Service, trader: Account, new_account: Callable[..., Account], proof: dict[str, str]
) -> None:
    a_phone(trader.account_id, utcnow())
    told = [
        try_with(gapi, replace(one, password="a wrong password"), **proof)
        for one in (trader, new_account(), replace(trader, username=f"no-{trader.username}"))
    ]
    assert {one.status_code for one in told} == {401}
    assert len({one.text for one in told}) == 1


def test_codes_that_are_none_or_two_at_once_are_refused(gapi: Service, trader: Account) -> None:
    for proof in ({"totp_code": "12345"}, {"totp_code": "12345\u0661"}, {"recovery_code": "aaaa-aaaa"}):
        assert error_of(try_with(gapi, trader, **proof))[:2] == (400, "INVALID_REQUEST")
    both = {"totp_code": "123456", "recovery_code": "aaaa-aaaa-aaaa-aaaa"}
    status, _code, details = error_of(try_with(gapi, trader, **both))
    assert (status, details["field"]) == (400, "recovery_code")


def test_guessed_codes_are_held_up_like_guessed_passwords(gapi: Service, trader: Account) -> None:
    phone, address = a_phone(trader.account_id, utcnow()), an_address()
    answers = [try_with(gapi, trader, address, totp_code=phone.wrong_code(utcnow()))]
    while answers[-1].status_code == 401:
        assert len(answers) < 30
        answers.append(try_with(gapi, trader, address, totp_code=phone.wrong_code(utcnow())))
    assert error_of(answers[-1])[:2] == (429, "RATE_LIMITED")
    assert len(answers) > 5


def test_an_admin_sees_who_has_one_and_removes_it(
    gapi: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    phone, boss = a_phone(trader.account_id, utcnow()), new_account(Role.ADMIN)
    login, admin = enter(gapi, trader, totp_code=phone.code(utcnow())), log_in(gapi, boss)
    user = f"/api/admin/users/{trader.account_id}"
    assert admin.send("GET", user).json()["second_factor_since"] is not None

    own = admin.send("DELETE", f"/api/admin/users/{boss.account_id}/second-factor")
    assert error_of(own)[:2] == (409, "INVALID_STATE")
    for _ in range(2):
        assert admin.send("DELETE", f"{user}/second-factor").status_code == 204

    assert not login.is_believed()
    assert admin.send("GET", user).json()["second_factor_since"] is None
    assert try_login(gapi, trader.username, trader.password).status_code == 200


def test_an_admin_who_needs_one_can_only_set_it_up(strict: dict[str, Service], environment: dict[str, str]) -> None:
    gapi, admin = strict["gapi"], make_account(Role.ADMIN)
    answer = try_with(gapi, admin)
    assert answer.json()["must_enrol"] is True
    login = Login(gapi, answer.json()["access_token"], answer.json()["refresh_token"], admin.password)
    assert login.refresh().json()["must_enrol"] is True

    new_key: dict[str, Any] = {"name": "bot", "scopes": ["orders:read"], "password": admin.password}
    for method, path, body in (
        ("GET", "/api/admin/users", None), ("GET", "/api/orders", None), ("POST", "/api/keys", new_key),
        ("GET", "/api/events", None), ("POST", "/api/auth/password", {}), ("GET", "/api/installation", None),
    ):  # fmt: skip
        refused = login.send(method, path) if body is None else login.send(method, path, json=body)
        assert error_of(refused) == (403, "SECOND_FACTOR_SETUP_REQUIRED", {"role": "admin"}), path
    assert login.send("GET", "/api/me").json()["scopes"] == []
    assert login.send("GET", FACTOR).json()["is_required"] is True
    assert introspected(gapi, login) == {"active": False}

    phone = set_up(login, admin)

    assert not login.is_believed()
    login = enter(gapi, admin, totp_code=phone.code(utcnow(), 1))
    assert login.send("GET", "/api/admin/users").status_code == 200
    proof = {"password": admin.password, "recovery_code": phone.recovery_codes[0]}
    assert error_of(login.send("POST", f"{FACTOR}/disable", json=proof))[:2] == (409, "INVALID_STATE")
    assert log_in(gapi, make_account()).is_believed(), "a role that needs none"


def introspected(gapi: Service, login: Login) -> dict[str, Any]:
    path, body = "/internal/tokens/introspect", f'{{"token": "{login.access_token}"}}'.encode()
    headers = gapi.bearer(sibling_token(path, body)) | {"Content-Type": "application/json"}
    told: dict[str, Any] = gapi.send("POST", path, headers=headers, data=body).json()
    return told


def test_pulse_itself_refuses_who_must_set_one_up(strict: dict[str, Service]) -> None:
    pulse, admin = strict["pulse"], make_account(Role.ADMIN)
    token = pulse.token(admin, "GET", "/internal/accounts", enrol=True)
    refused = pulse.send("GET", "/internal/accounts", headers=pulse.bearer(token))
    assert error_of(refused)[:2] == (403, "SECOND_FACTOR_SETUP_REQUIRED")
