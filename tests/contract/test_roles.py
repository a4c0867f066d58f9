"""What each role may do to its own orders and to those of others, through the gateway and directly on pulse."""

from collections.abc import Callable

import pytest

import gapi_app.roles
from pulse_core.domain import roles
from pulse_core.domain.enums import Role, Scope
from tests.contract.client import Account, Service, error_of

READ, CHANGE, OPERATE = ("GET", ""), ("DELETE", ""), ("POST", "/slices/sl_01J00000000000000000000000/retry")
ALLOWED, FORBIDDEN, HIDDEN = "allowed", 403, 404

MATRIX = {
    Role.VIEWER: {"read": HIDDEN, "slices": HIDDEN, "pause": FORBIDDEN, "resume": FORBIDDEN, "cancel": FORBIDDEN},
    Role.TRADER: {"read": HIDDEN, "slices": HIDDEN, "pause": HIDDEN, "resume": HIDDEN, "cancel": HIDDEN},
    Role.OPERATOR: {"read": ALLOWED, "slices": ALLOWED, "pause": ALLOWED, "resume": ALLOWED, "cancel": ALLOWED},
    Role.ADMIN: {"read": ALLOWED, "slices": ALLOWED, "pause": FORBIDDEN, "resume": FORBIDDEN, "cancel": FORBIDDEN},
}
CALLS = {
    "read": ("GET", ""),
    "slices": ("GET", "/slices"),
    "pause": ("POST", "/pause"),
    "resume": ("POST", "/resume"),
    "cancel": ("DELETE", ""),
}
OPERATES = {Role.OPERATOR}
TRADES = {Role.TRADER, Role.OPERATOR}


def test_the_gateway_and_the_core_state_the_same_rules() -> None:
    assert {role.value: set(scopes) for role, scopes in roles.SCOPES.items()} == {
        role: set(scopes) for role, scopes in gapi_app.roles.SCOPES.items()
    }
    assert list(Scope) == list(gapi_app.roles.Scope)
    assert gapi_app.roles.ADMINISTERS == roles.ADMINISTERS


@pytest.mark.parametrize("role", MATRIX)
@pytest.mark.parametrize("action", CALLS)
def test_each_role_on_the_order_of_another(
    service: Service, trader: Account, new_account: Callable[..., Account], role: Role, action: str
) -> None:
    order_id = service.place(trader).json()["order_id"]
    method, path = CALLS[action]
    answer = service.send(method, f"{service.orders}/{order_id}{path}", new_account(role))

    expected = MATRIX[role][action]
    # An order that is not split yet cannot be paused: who is told so may.
    assert answer.status_code in ((200, 202, 409) if expected == ALLOWED else (expected,))


@pytest.mark.parametrize("role", MATRIX)
def test_each_role_with_an_order_of_its_own(service: Service, new_account: Callable[..., Account], role: Role) -> None:
    account = new_account(role)
    placed = service.place(account)
    assert (placed.status_code < 300) == (role in TRADES)
    if role in TRADES:
        assert service.send("DELETE", placed.headers["Location"], account).status_code == 202
    else:
        assert error_of(placed)[:2] == (403, "FORBIDDEN")


@pytest.mark.parametrize("role", MATRIX)
@pytest.mark.parametrize("action", ["retry", "resolve"])
def test_only_operators_act_on_slices(
    service: Service, trader: Account, new_account: Callable[..., Account], role: Role, action: str
) -> None:
    order_id = service.place(trader).json()["order_id"]
    path = f"{service.orders}/{order_id}/slices/sl_01J00000000000000000000000/{action}"
    answer = service.send("POST", path, new_account(role))
    assert answer.status_code == (404 if role in OPERATES else 403)


@pytest.mark.parametrize("role", MATRIX)
def test_operators_and_admins_list_the_orders_of_everybody(
    service: Service, trader: Account, new_account: Callable[..., Account], role: Role
) -> None:
    order_id = service.place(trader).json()["order_id"]
    answer = service.send("GET", f"{service.orders}?account_id={trader.account_id}", new_account(role))
    if role in (Role.OPERATOR, Role.ADMIN):
        assert [(one["order_id"], one["account_id"]) for one in answer.json()["orders"]] == [
            (order_id, trader.account_id)
        ]
    else:
        assert error_of(answer) == (403, "FORBIDDEN", {"field": "account_id"})


def test_an_order_belongs_to_who_places_it_whatever_the_body_says(
    service: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    answer = service.place(trader, account_id=new_account().account_id)
    assert error_of(answer) == (400, "INVALID_REQUEST", {"field": "account_id", "rule": "Unknown field."})
