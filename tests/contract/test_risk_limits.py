"""What an account may do at most, over HTTP: admins set it, users see theirs, and what would pass it is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from api_contract.scopes import Role
from tests.contract.client import Account, Service, error_of, new_order
from tests.contract.logins import Login, log_in

UNKNOWN = "acc_01M83H5T3ZC6N2GQ1W9J8X4K7B"


@pytest.fixture
def admin(gapi: Service, new_account: Callable[..., Account]) -> Login:
    return log_in(gapi, new_account(Role.ADMIN))


@pytest.fixture
def mine(gapi: Service, trader: Account) -> Login:
    return log_in(gapi, trader)


def path_of(account_id: str) -> str:
    return f"/api/admin/users/{account_id}/limits"


def test_an_admin_sets_limits_and_a_user_sees_his_own_and_what_is_left(
    admin: Login, mine: Login, trader: Account
) -> None:
    stated = {"day_quantity": 150, "order_worth": "1000000.50", "instruments": ["NSE:RELIANCE"]}
    answer = admin.send("PUT", path_of(trader.account_id), json=stated)
    assert answer.status_code == 200, answer.text
    assert answer.json()["own"] == answer.json()["own"] | stated
    assert answer.json()["own"]["order_quantity"] is None

    assert mine.send("POST", "/api/orders", json=new_order(total_quantity=100)).status_code == 202
    shown = mine.send("GET", "/api/limits").json()
    assert (shown["account_id"], shown["broker_account"]) == (trader.account_id, "paper")
    assert (shown["used"]["day_quantity"], shown["left"]["day_quantity"]) == (100, 50)
    assert shown["in_force"]["order_worth"] == "1000000.50"
    assert admin.send("GET", path_of(trader.account_id)).json() == shown

    status, code, details = error_of(mine.send("POST", "/api/orders", json=new_order(total_quantity=51)))
    assert (status, code) == (422, "RISK_LIMIT")
    assert details == {"limit": "day_quantity", "most": 150, "accepted": 100, "asked": 51, "left": 50}

    assert admin.send("PUT", path_of(trader.account_id), json={}).json()["own"]["day_quantity"] is None
    assert mine.send("POST", "/api/orders", json=new_order(total_quantity=51)).status_code == 202


def test_an_amendment_is_held_to_them_too(gapi: Service, admin: Login, mine: Login, trader: Account) -> None:
    admin.send("PUT", path_of(trader.account_id), json={"day_quantity": 150})
    order_id = mine.send("POST", "/api/orders", json=new_order(total_quantity=100)).json()["order_id"]

    def amended(total: int) -> requests.Response:
        headers = {**gapi.bearer(mine.access_token), "If-Match": "*"}
        return gapi.send("PATCH", f"/api/orders/{order_id}", headers=headers, json={"total_quantity": total})

    status, code, details = error_of(amended(151))
    assert (status, code) == (422, "RISK_LIMIT")
    assert details == {"limit": "day_quantity", "most": 150, "accepted": 0, "asked": 151, "left": 150}
    assert mine.send("GET", f"/api/orders/{order_id}").json()["total_quantity"] == 100
    assert amended(150).json()["total_quantity"] == 150
    assert amended(60).json()["total_quantity"] == 60


@pytest.mark.parametrize(
    "body",
    [
        {"order_quantity": 0},
        {"order_quantity": 10**30},
        {"order_quantity": "5"},
        {"order_quantity": True},
        {"order_worth": 5},
        {"order_worth": "NaN"},
        {"order_worth": "0"},
        {"day_worth": "9" * 40},
        {"price_collar_percent": "1000.01"},
        {"instruments": []},
        {"instruments": "NSE:SBIN"},
        {"instruments": ["NSE:SB\u0000IN"]},
        {"instruments": [None]},
        {"instruments": ["NSE:SBIN"] * 501},
        {"products": ["CASH"]},
        {"products": []},
        {"orders_per_minute": -1},
        {"open_orders": 2**40},
        {"unheard": 1},
        [],
    ],
)
def test_what_is_no_limit_is_refused_by_name_and_changes_nothing(admin: Login, trader: Account, body: Any) -> None:
    before = admin.send("GET", path_of(trader.account_id)).json()["own"]
    assert error_of(admin.send("PUT", path_of(trader.account_id), json=body))[:2] == (400, "INVALID_REQUEST")
    assert admin.send("GET", path_of(trader.account_id)).json()["own"] == before


def test_only_admins_set_limits_and_only_of_those_who_are_there(admin: Login, mine: Login, trader: Account) -> None:
    assert error_of(mine.send("PUT", path_of(trader.account_id), json={}))[:2] == (403, "FORBIDDEN")
    assert error_of(mine.send("GET", path_of(trader.account_id)))[:2] == (403, "FORBIDDEN")
    for account_id in (UNKNOWN, "nobody", "%00"):
        assert error_of(admin.send("PUT", path_of(account_id), json={"order_quantity": 1}))[:2] == (404, "NOT_FOUND")
        assert error_of(admin.send("GET", path_of(account_id)))[:2] == (404, "NOT_FOUND")


def test_limits_with_a_broker_account_that_is_not_there(mine: Login) -> None:
    assert error_of(mine.send("GET", "/api/limits?broker_account=nowhere"))[:2] == (404, "NOT_FOUND")
    assert error_of(mine.send("GET", "/api/limits?broker_account=No%00"))[:2] == (400, "INVALID_REQUEST")
