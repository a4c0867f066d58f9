"""What the matrix of rights does not show: whose orders a listing has, and whose an order becomes."""

from collections.abc import Callable

import pytest

from api_contract.scopes import Role
from tests.contract.client import Account, Service, error_of


@pytest.mark.parametrize("role", Role)
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
