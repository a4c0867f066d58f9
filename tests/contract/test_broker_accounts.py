"""Broker accounts over HTTP: who sees which, who adds and grants them, and what an order may name."""

import secrets
from collections.abc import Callable

import pytest

from api_contract.scopes import Role
from tests.contract.client import Account, Service, error_of, new_order


@pytest.fixture
def admin(new_account: Callable[..., Account]) -> Account:
    return new_account(Role.ADMIN)


@pytest.fixture
def live(service: Service, admin: Account) -> str:
    """The name of a live account that nobody has a grant for."""
    name = f"kite-{secrets.token_hex(4)}"
    added = service.send("POST", accounts_of(service), admin, json={"name": name, "broker": "zerodha"})
    assert (added.status_code, added.json()["state"]) == (201, "AWAITING_TOKEN")
    return name


def accounts_of(service: Service) -> str:
    return service.orders.replace("orders", "broker-accounts")


def seen_by(service: Service, account: Account) -> set[str]:
    found = service.send("GET", accounts_of(service), account).json()["broker_accounts"]
    return {one["name"] for one in found}


def test_an_order_names_its_account_and_is_found_by_it(service: Service, trader: Account) -> None:
    named = service.place(trader, broker_account="paper").json()["order_id"]
    unnamed = service.place(trader).json()["order_id"]

    def listed(query: str) -> set[str]:
        found = service.send("GET", f"{service.orders}?{query}", trader).json()["orders"]
        assert {one["broker_account"] for one in found} <= {"paper"}
        return {one["order_id"] for one in found}

    assert listed("broker_account=paper") == {named, unnamed}
    assert listed("broker_account=kite-nine") == set()


def test_an_account_that_is_not_there_or_not_granted_is_refused_by_name(
    service: Service, trader: Account, live: str
) -> None:
    for name, status, code in (
        ("kite-nine", 422, "UNKNOWN_BROKER_ACCOUNT"),
        (live, 403, "BROKER_ACCOUNT_NOT_GRANTED"),
    ):
        refused = service.send("POST", service.orders, trader, json=new_order(broker_account=name))
        assert error_of(refused) == (status, code, {"field": "broker_account", "broker_account": name})


def test_an_admin_grants_an_account_and_takes_the_grant_back(
    service: Service, trader: Account, admin: Account, live: str
) -> None:
    grants = f"{accounts_of(service)}/{live}/grants"
    assert live not in seen_by(service, trader)
    assert {live, "paper"} <= seen_by(service, admin)

    for _ in range(2):
        assert service.send("PUT", f"{grants}/{trader.account_id}", admin).status_code == 204
    [given] = service.send("GET", grants, admin).json()["grants"]
    assert (given["account_id"], given["username"]) == (trader.account_id, trader.username)
    assert given["granted_by"] == admin.account_id
    assert live in seen_by(service, trader)

    assert service.send("DELETE", f"{grants}/{trader.account_id}", admin).status_code == 204
    assert service.send("GET", grants, admin).json()["grants"] == []
    assert live not in seen_by(service, trader)


@pytest.mark.parametrize("name", ["kite-nine", "NOT-A-NAME", "x%00y"])
def test_what_is_not_there_is_not_found(service: Service, trader: Account, admin: Account, name: str) -> None:
    for method, path in (("GET", ""), ("PUT", f"/{trader.account_id}"), ("DELETE", f"/{trader.account_id}")):
        answer = service.send(method, f"{accounts_of(service)}/{name}/grants{path}", admin)
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("new", "status"),
    [
        ({"name": "paper", "broker": "zerodha"}, 409),
        ({"name": "Kite", "broker": "zerodha"}, 400),
        ({"name": "kite-four", "broker": "paper"}, 400),
        ({"name": "kite-four"}, 400),
    ],
)
def test_what_cannot_be_added_is_refused(service: Service, admin: Account, new: dict[str, str], status: int) -> None:
    assert service.send("POST", accounts_of(service), admin, json=new).status_code == status
