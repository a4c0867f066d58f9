"""Logging in, staying in, logging out, and what guessing meets."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest
import requests
from sqlalchemy import text

from api_contract.scopes import Role
from pulse_core import db
from pulse_ops.stack.ports import free_port
from tests.contract.client import Account, Service, error_of
from tests.contract.logins import an_address, log_in, try_login
from tests.support import servers
from tests.support.processes import Processes, wait_until

NEW_PASSWORD = "another password of hers"


def test_a_login_gives_tokens_that_say_how_long_they_last(gapi: Service, trader: Account) -> None:
    answer = try_login(gapi, trader.username, trader.password)
    assert answer.headers["Cache-Control"] == "no-store"
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == answer.json()["expires_in"] == 900
    assert (claims["sub"], claims["role"], claims["type"]) == (trader.account_id, "trader", "access")


def test_a_refreshed_login_goes_on_and_an_old_refresh_token_ends_it(gapi: Service, trader: Account) -> None:
    login = log_in(gapi, trader)
    first = login.refresh_token
    for _ in range(2):
        assert login.refresh().status_code == 200
    assert login.is_believed()

    assert error_of(login.refresh(first))[:2] == (401, "UNAUTHORIZED")

    assert not login.is_believed(), "the thief may have this one"
    assert error_of(login.refresh())[:2] == (401, "UNAUTHORIZED")
    assert log_in(gapi, trader).is_believed()


def test_two_tabs_that_refresh_at_once_stay_logged_in(gapi: Service, trader: Account) -> None:
    login = log_in(gapi, trader)
    token = login.refresh_token

    assert [login.refresh(token).status_code for _ in range(2)] == [200, 200]

    assert login.refresh().status_code == 200
    assert login.is_believed()


@pytest.mark.parametrize("token", ["x", "rt_", "rt_" + "A" * 43, "e30.e30.", "\u0661", "x" * 100])
def test_what_is_no_refresh_token_is_refused(gapi: Service, token: str) -> None:
    answer = gapi.send("POST", "/api/auth/refresh", json={"refresh_token": token})
    assert error_of(answer) == (401, "UNAUTHORIZED", {})


def test_an_access_token_refreshes_nothing_and_a_refresh_token_opens_nothing(gapi: Service, trader: Account) -> None:
    login = log_in(gapi, trader)
    assert not login.is_believed(login.refresh_token)
    assert login.refresh(login.access_token[:100]).status_code == 401


def test_logging_out_ends_this_login_alone(gapi: Service, trader: Account) -> None:
    here, there = log_in(gapi, trader), log_in(gapi, trader)
    assert here.send("POST", "/api/auth/logout").status_code == 204

    assert not here.is_believed()
    assert here.refresh().status_code == 401
    assert there.is_believed()


def test_logging_out_everywhere_ends_every_login(gapi: Service, trader: Account) -> None:
    here, there = log_in(gapi, trader), log_in(gapi, trader)
    assert here.send("POST", "/api/auth/logout-all").status_code == 204

    assert not any(login.is_believed() or login.refresh().status_code == 200 for login in (here, there))
    assert log_in(gapi, trader).is_believed(), "at once, in the same second"


def test_a_new_password_needs_the_old_one_and_ends_every_login(gapi: Service, trader: Account) -> None:
    login = log_in(gapi, trader)

    def change(current: str, new: str) -> tuple[int, str, dict[str, Any]] | int:
        body = {"current_password": current, "new_password": new}
        answer = login.send("POST", "/api/auth/password", json=body)
        return 204 if answer.status_code == 204 else error_of(answer)

    assert change("wrong", NEW_PASSWORD) == (403, "FORBIDDEN", {"field": "current_password"})
    status, code, details = change(trader.password, "too short")  # type: ignore[misc]
    assert (status, code, details["min_length"]) == (400, "INVALID_REQUEST", 12)
    assert change(trader.password, NEW_PASSWORD) == 204

    assert not login.is_believed()
    assert try_login(gapi, trader.username, trader.password).status_code == 401
    assert try_login(gapi, trader.username, NEW_PASSWORD).status_code == 200


def guesses_until_held_up(guess: Callable[[], requests.Response]) -> list[requests.Response]:
    """All answers; the first blocks are so short that a slow machine may not meet them."""
    answers = [guess()]
    while answers[-1].status_code == 401:
        assert len(answers) < 45
        answers.append(guess())
    assert error_of(answers[-1])[:2] == (429, "RATE_LIMITED")
    return answers


def test_a_new_password_ends_keys_if_asked_and_must_not_be_easily_guessed(gapi: Service, trader: Account) -> None:
    login = log_in(gapi, trader)
    key = login.make_key()["api_key"]
    given = {"current_password": trader.password, "revoke_keys": True}

    refusal = login.send("POST", "/api/auth/password", json=given | {"new_password": "password1234"})
    status, code, details = error_of(refusal)
    assert (status, code, details["field"]) == (400, "INVALID_REQUEST", "password")
    assert login.send("POST", "/api/auth/password", json=given | {"new_password": NEW_PASSWORD}).status_code == 204

    assert gapi.send("GET", "/api/orders", headers=gapi.bearer(key)).status_code == 401


@pytest.mark.parametrize("is_known", [True, False])
def test_guessing_is_held_up_whether_the_user_exists_or_not(gapi: Service, trader: Account, is_known: bool) -> None:
    username, address = trader.username if is_known else f"no-{trader.username}", an_address()
    answers = guesses_until_held_up(lambda: try_login(gapi, username, "a wrong password", address))

    assert len(answers) > 5
    assert len({answer.text for answer in answers[:-1]}) == 1
    elsewhere = try_login(gapi, username, trader.password)
    assert elsewhere.status_code == (200 if is_known else 401), "nobody is locked out by it"


def test_an_address_that_guesses_for_many_users_is_held_up(
    gapi: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    address = an_address()
    answers = guesses_until_held_up(lambda: try_login(gapi, new_account().username, "a wrong password", address))

    assert len(answers) > 30
    assert try_login(gapi, trader.username, trader.password).status_code == 200, "from elsewhere"


def test_the_address_of_a_client_is_believed_from_trusted_proxies_only(
    gapi: Service, pulse: Service, processes: Processes, trader: Account
) -> None:
    child, url = processes.gapi(PULSE_URL=pulse.url)
    direct = Service("gapi", url, gapi.key, child.log_path)
    address = an_address()
    for one in (gapi, direct):
        assert try_login(one, trader.username, trader.password, address).status_code == 200
    assert log_in_with(direct, trader, {"X_Forwarded_For": address}).status_code == 200
    assert addresses_of_logins(trader) == [address, "127.0.0.1", "127.0.0.1"]


def test_a_proxy_names_the_client_in_a_header_that_has_no_other_spelling(
    start_gapi: Callable[..., Service], trader: Account
) -> None:
    gapi, address = start_gapi(PULSE_PROXY_HEADER="Clientaddress"), an_address()
    claimed = dict.fromkeys(("X_Forwarded_For", "X-Forwarded-For", "Client_address", "Client-Address"), an_address())
    assert log_in_with(gapi, trader, {"Clientaddress": address, **claimed}).status_code == 200
    assert log_in_with(gapi, trader, claimed).status_code == 200
    assert addresses_of_logins(trader) == [address, "127.0.0.1"]


def log_in_with(gapi: Service, account: Account, headers: dict[str, str]) -> requests.Response:
    credentials = {"username": account.username, "password": account.password}
    return gapi.send("POST", "/api/auth/login", headers=headers, json=credentials)


def addresses_of_logins(account: Account) -> list[str]:
    with db.transaction() as session:
        query = "SELECT address FROM audit_entries WHERE action = 'login' AND subject = :account ORDER BY id"
        return list(session.scalars(text(query), {"account": account.account_id}))


def test_a_revocation_outlives_redis_and_the_gateway(
    processes: Processes, new_account: Callable[..., Account], environment: dict[str, str]
) -> None:
    _pulse, pulse_url = processes.pulse()
    child, url = processes.gapi(PULSE_URL=pulse_url)
    gapi = Service("gapi", url, environment["PULSE_JWT_KEY"], child.log_path)
    ended, going_on = log_in(gapi, new_account()), log_in(gapi, new_account())
    ended.send("POST", "/api/auth/logout")

    servers.empty_redis(environment["PULSE_QUEUE_URL"])
    assert (ended.is_believed(), going_on.is_believed()) == (False, True)
    child.kill()
    servers.start(child)
    assert (ended.is_believed(), going_on.is_believed()) == (False, True)

    other, other_url = processes.gapi(PULSE_URL=pulse_url)
    elsewhere = Service("gapi", other_url, gapi.key, other.log_path)
    elsewhere.send("POST", "/api/auth/logout", headers=gapi.bearer(going_on.access_token))
    wait_until(lambda: not going_on.is_believed(), 10, "the other gateway's revocation")


def test_no_token_is_believed_before_revocations_are_known(
    processes: Processes, trader: Account, environment: dict[str, str]
) -> None:
    port = free_port()
    child, url = processes.gapi(PULSE_URL=f"http://127.0.0.1:{port}")
    gapi = Service("gapi", url, environment["PULSE_JWT_KEY"], child.log_path)
    assert error_of(gapi.send("GET", "/api/orders", trader)) == (503, "SERVICE_UNAVAILABLE", {"missing": ["pulse"]})
    assert gapi.send("GET", "/ready").status_code == 503
    processes.pulse(port)
    wait_until(lambda: gapi.send("GET", "/ready").status_code == 200)
    assert gapi.send("GET", "/api/orders", trader).status_code == 200


def test_a_disabled_user_is_out_at_once_and_is_answered_like_one_that_never_was(
    gapi: Service, new_account: Callable[..., Account], trader: Account
) -> None:
    admin, login = log_in(gapi, new_account(Role.ADMIN)), log_in(gapi, trader)
    path = f"/api/admin/users/{trader.account_id}"
    assert admin.send("PATCH", path, json={"is_active": False}).json()["is_active"] is False

    assert not login.is_believed()
    assert login.refresh().status_code == 401
    refused = try_login(gapi, trader.username, trader.password)
    never = try_login(gapi, f"no-{trader.username}", trader.password)
    assert (refused.status_code, refused.json()) == (never.status_code, never.json())
