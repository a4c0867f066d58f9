"""An account's own limit: set by admins, known to the gateway from the next token on, and from the key's holder."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from api_contract.scopes import Role
from tests.contract.client import Account, Service, error_of, new_order
from tests.contract.logins import Login, log_in

FIELD = "requests_per_minute"


@pytest.fixture
def admin(gapi: Service, new_account: Callable[..., Account]) -> Login:
    return log_in(gapi, new_account(Role.ADMIN))


def user(account: Account) -> str:
    return f"/api/admin/users/{account.account_id}"


def limit(admin: Login, account: Account, requests_per_minute: int | None) -> None:
    changed = admin.send("PATCH", user(account), json={FIELD: requests_per_minute})
    assert (changed.status_code, changed.json()[FIELD]) == (200, requests_per_minute)


def shown(answer: requests.Response) -> int | None:
    """Of how many requests an answer speaks."""
    text = answer.headers.get("RateLimit-Limit")
    return None if text is None else int(text)


def shown_to(login: Login) -> tuple[int | None, int | None]:
    """The limits on a listing and on a new order."""
    placed = login.send("POST", "/api/orders", json=new_order())
    assert placed.status_code == 202
    return shown(login.send("GET", "/api/orders")), shown(placed)


# The gateway of all tests has no limits; so nothing but an account's own is shown.
def test_an_own_limit_holds_from_the_next_refresh_on_and_ends_no_login(
    gapi: Service, admin: Login, trader: Account
) -> None:
    login = log_in(gapi, trader)
    limit(admin, trader, 300)
    assert shown_to(login) == (None, None)
    assert login.refresh().status_code == 200
    assert shown_to(login) == (300, 300)
    assert shown_to(log_in(gapi, trader)) == (300, 300)

    limit(admin, trader, None)
    assert shown_to(login) == (300, 300)
    assert login.refresh().status_code == 200
    assert shown_to(login) == (None, None)


@pytest.mark.parametrize(("own", "expected"), [(None, (1200, 600)), (300, (300, 300)), (5000, (5000, 600))])
def test_an_own_limit_replaces_the_installations_but_lets_no_more_new_orders_through(
    start_gapi: Callable[..., Service],
    admin: Login,
    trader: Account,
    own: int | None,
    expected: tuple[int, int],
) -> None:
    limited = start_gapi(PULSE_RATE_LIMIT_ACCOUNT="1200/minute", PULSE_RATE_LIMIT_ORDERS="600/minute")
    limit(admin, trader, own)
    assert shown_to(log_in(limited, trader)) == expected


def test_an_account_is_refused_beyond_its_own_limit(gapi: Service, admin: Login, trader: Account) -> None:
    limit(admin, trader, 2)
    login = log_in(gapi, trader)
    answers = [login.send("GET", "/api/orders") for _ in range(5)]

    # A minute may end in between.
    assert {answer.status_code for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    _status, code, details = error_of(refused)
    assert (code, details["limit"], details["window_seconds"]) == ("RATE_LIMITED", 2, 60)


def test_a_key_has_the_limit_of_its_account(gapi: Service, admin: Login, trader: Account) -> None:
    made = log_in(gapi, trader).make_key()

    def shown_to_key() -> int | None:
        # Whose a key is that was not used before is known only after it was counted.
        answers = [gapi.send("GET", "/api/orders", headers=gapi.bearer(made["api_key"])) for _ in range(2)]
        return shown(answers[-1])

    assert shown_to_key() is None
    limit(admin, trader, 70)
    assert shown_to_key() == 70
    limit(admin, trader, None)
    assert shown_to_key() is None


def test_admins_see_who_has_a_limit(admin: Login, trader: Account) -> None:
    assert admin.send("GET", user(trader)).json()[FIELD] is None
    limit(admin, trader, 1_000_000)
    assert admin.send("GET", user(trader)).json()[FIELD] == 1_000_000
    before = trader.username[:-1]
    [listed] = admin.send("GET", f"/api/admin/users?limit=1&after={before}").json()["users"]
    assert (listed["username"], listed[FIELD]) == (trader.username, 1_000_000)


@pytest.mark.parametrize("value", [0, -1, 1_000_001, 10**30])
def test_a_limit_out_of_range_is_refused_with_the_range(
    admin: Login, pulse: Service, trader: Account, new_account: Callable[..., Account], value: int
) -> None:
    path = f"/internal/accounts/{trader.account_id}"
    for answer in (
        admin.send("PATCH", user(trader), json={FIELD: value}),
        pulse.send("PATCH", path, new_account(Role.ADMIN), json={FIELD: value}),
    ):
        assert error_of(answer) == (400, "INVALID_REQUEST", {"field": FIELD, "min": 1, "max": 1_000_000})


@pytest.mark.parametrize("value", ["300", 300.0, True, [300], {}])
def test_a_limit_that_is_no_integer_is_refused(admin: Login, trader: Account, value: Any) -> None:
    status, code, details = error_of(admin.send("PATCH", user(trader), json={FIELD: value}))
    assert (status, code, details["field"]) == (400, "INVALID_REQUEST", FIELD)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.TRADER, Role.OPERATOR])
def test_nobody_else_sets_a_limit(
    gapi: Service, pulse: Service, new_account: Callable[..., Account], role: Role
) -> None:
    account, wished = new_account(role), {FIELD: 1_000_000}
    for answer in (
        gapi.send("PATCH", user(account), account, json=wished),
        pulse.send("PATCH", f"/internal/accounts/{account.account_id}", account, json=wished),
    ):
        assert error_of(answer)[:2] == (403, "FORBIDDEN")
