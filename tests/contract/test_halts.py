"""Halts over both services alike, and with the client: made, shown, released, and whose they are."""

from collections.abc import Callable

import pytest

from api_contract.scopes import Role
from pulse_client.gateway import Gateway
from pulse_client.vocabulary import HaltedState, HaltStatus
from tests.contract.client import Account, Service, error_of, new_order
from tests.support.factories import a_split_order

pytestmark = pytest.mark.usefixtures("clean_database")

NO_HALT = "halt_01M83H5T3ZC6N2GQ1W9J8X4K7B"
WHY = {"reason": "prices make no sense"}


@pytest.fixture
def operator(new_account: Callable[..., Account]) -> Account:
    return new_account(Role.OPERATOR)


def path(service: Service, rest: str) -> str:
    return f"/{'api' if service.name == 'gapi' else 'internal'}/{rest}"


def test_a_halt_is_made_shown_and_released(service: Service, operator: Account, trader: Account) -> None:
    order_id = a_split_order(account_id=trader.account_id)
    asked = WHY | {"instrument": "NSE:RELIANCE"}

    made = service.send("POST", path(service, "halt"), operator, json=asked)
    again = service.send("POST", path(service, "halt"), operator, json=asked)
    assert (made.status_code, again.status_code) == (201, 200)
    halt_id = made.json()["halt_id"]
    assert again.json()["halt_id"] == halt_id
    held = service.send("GET", path(service, f"orders/{order_id}"), trader).json()["held"]
    assert (held["reason"], held["message"], held["halt_id"]) == ("HALTED", WHY["reason"], halt_id)
    refused = service.send("POST", path(service, "orders"), trader, json=new_order())
    code, word, details = error_of(refused)
    assert (code, word, details["halt_id"], details["reason"]) == (409, "HALTED", halt_id, WHY["reason"])

    [listed] = service.send("GET", path(service, "halts?in_force=true"), operator).json()["halts"]
    shown = service.send("GET", path(service, f"halts/{halt_id}"), operator).json()
    assert listed == shown
    assert shown["slices"]["UNSENT"] == {"count": 5, "leaves_quantity": 100, "filled_meanwhile": 0}
    assert shown["is_quiet"] is True
    page = service.send("GET", path(service, f"halts/{halt_id}/slices?state=UNSENT&limit=3"), operator).json()
    assert [one["order_id"] for one in page["slices"]] == [order_id] * 3
    assert page["next_cursor"]

    for _ in range(2):
        released = service.send("POST", path(service, f"halt/{halt_id}/release"), operator)
        assert (released.status_code, released.json()["status"]) == (200, "RELEASED")
    assert service.send("GET", path(service, f"orders/{order_id}"), trader).json()["held"] is None
    assert service.send("GET", path(service, "halts?in_force=true"), operator).json()["halts"] == []
    assert service.send("GET", path(service, "halts?in_force=false"), operator).json()["halts"] == [released.json()]


def test_a_trader_halts_his_own_orders_and_nobody_elses(
    service: Service, operator: Account, trader: Account, new_account: Callable[..., Account]
) -> None:
    other = new_account(Role.TRADER)
    own = service.send("POST", path(service, "halt"), trader, json=WHY).json()
    assert own["account_id"] == trader.account_id

    foreign = WHY | {"account_id": other.account_id}
    assert error_of(service.send("POST", path(service, "halt"), trader, json=foreign))[:2] == (403, "FORBIDDEN")
    for who in (other,):
        assert service.send("GET", path(service, "halts"), who).json()["halts"] == []
        assert service.send("GET", path(service, f"halts/{own['halt_id']}"), who).status_code == 404
        assert service.send("POST", path(service, f"halt/{own['halt_id']}/release"), who).status_code == 404
    by_operator = service.send(
        "POST", path(service, "halt"), operator, json=WHY | {"account_id": trader.account_id, "instrument": "NSE:INFY"}
    ).json()
    refused = service.send("POST", path(service, f"halt/{by_operator['halt_id']}/release"), trader)
    assert error_of(refused)[:2] == (403, "FORBIDDEN")
    assert service.send("POST", path(service, f"halt/{own['halt_id']}/release"), trader).status_code == 200
    assert service.send("POST", path(service, "orders"), other, json=new_order()).status_code in (201, 202)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": " "},
        {"reason": "x" * 201},
        {"reason": "a\0b"},
        {"reason": 5},
        {"reason": None},
        WHY | {"account_id": "acc_1"},
        WHY | {"account_id": None},
        WHY | {"instrument": "reliance"},
        WHY | {"broker_account": "No Such"},
        WHY | {"working": "maybe"},
        WHY | {"scope": "all"},
        [],
    ],
)
def test_a_body_that_makes_no_sense_halts_nothing(service: Service, operator: Account, body: object) -> None:
    answer = service.send("POST", path(service, "halt"), operator, json=body)

    assert error_of(answer)[:2] == (400, "INVALID_REQUEST")
    assert service.send("GET", path(service, "halts"), operator).json()["halts"] == []


def test_what_there_is_not_is_not_found(service: Service, operator: Account) -> None:
    for rest in (f"halts/{NO_HALT}", "halts/halt_1", "halts/%00", f"halts/{NO_HALT}/slices", "halts/x/slices"):
        assert service.send("GET", path(service, rest), operator).status_code == 404
    for rest in (f"halt/{NO_HALT}/release", "halt/%00/release"):
        assert service.send("POST", path(service, rest), operator).status_code == 404
    nowhere = service.send("POST", path(service, "halt"), operator, json=WHY | {"broker_account": "nowhere"})
    assert nowhere.status_code == 404
    for query in ("in_force=maybe", "limit=0", "limit=99999999999999999999", "cursor=AAAA", "state=WORKING"):
        assert service.send("GET", path(service, f"halts?{query}"), operator).status_code == 400


def test_the_client_halts_and_releases(gapi: Service, operator: Account) -> None:
    a_split_order()
    client = Gateway(gapi.url, gapi.token(operator))

    made = client.halt("prices make no sense", instrument="NSE:RELIANCE")

    assert made.slices[HaltedState.UNSENT].count == 5
    assert [one.halt_id for one in client.halts(in_force=True).halts] == [made.halt_id]
    assert len(client.halted_slices(made.halt_id, HaltedState.UNSENT).slices) == 5
    assert client.halt_receipt(made.halt_id).is_quiet
    assert client.release_halt(made.halt_id).status is HaltStatus.RELEASED
