"""An account's own policy over HTTP: set by itself or an admin, and shown in what it places."""

from collections.abc import Callable
from typing import Any

import pytest

from api_contract.scopes import Role
from tests.contract.client import Account, Service, error_of, new_order
from tests.contract.logins import Login, log_in

NOTHING = dict.fromkeys(("catch_up", "max_slice_multiple", "extend_minutes", "leftover", "at_end"))
FOR_ALL = {
    "catch_up": "spread",
    "max_slice_multiple": 3,
    "extend_minutes": 0,
    "leftover": "catch_up",
    "at_end": "leave",
}


@pytest.fixture
def mine(gapi: Service, trader: Account) -> Login:
    return log_in(gapi, trader)


def test_a_trader_sets_his_policy_and_an_admin_sees_and_changes_it(
    gapi: Service, mine: Login, trader: Account, new_account: Callable[..., Account]
) -> None:
    admin, path = log_in(gapi, new_account(Role.ADMIN)), f"/api/admin/users/{trader.account_id}/policy"
    assert mine.send("GET", "/api/policy").json() == {
        "account_id": trader.account_id,
        "own": NOTHING,
        "in_force": FOR_ALL,
    }

    stated = {"catch_up": "next_slice", "extend_minutes": 30}
    told = mine.send("PUT", "/api/policy", json=stated)
    assert told.status_code == 200, told.text
    assert (told.json()["own"], told.json()["in_force"]) == (NOTHING | stated, FOR_ALL | stated)
    assert admin.send("GET", path).json() == told.json()

    previewed = mine.send("POST", "/api/orders/preview", json=new_order()).json()
    placed = mine.send("POST", "/api/orders", json=new_order(at_end="market")).json()
    shown = mine.send("GET", f"/api/orders/{placed['order_id']}").json()
    assert {name: previewed[name] for name in FOR_ALL} == FOR_ALL | stated
    assert {name: shown[name] for name in FOR_ALL} == FOR_ALL | stated | {"at_end": "market"}

    assert admin.send("PUT", path, json={}).json()["in_force"] == FOR_ALL


@pytest.mark.parametrize(
    "body",
    [
        {"catch_up": "soon"},
        {"catch_up": "spread\x00"},
        {"max_slice_multiple": 0},
        {"max_slice_multiple": 10**30},
        {"max_slice_multiple": "3"},
        {"extend_minutes": 1441},
        {"leftover": 1},
        {"at_end": ["market"]},
        {"extended": 1},
        [],
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(mine: Login, body: Any) -> None:
    assert error_of(mine.send("PUT", "/api/policy", json=body))[:2] == (400, "INVALID_REQUEST")
    assert mine.send("GET", "/api/policy").json()["own"] == NOTHING
