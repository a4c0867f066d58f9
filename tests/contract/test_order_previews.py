"""Previews over HTTP: an order placed with a plan has the schedule that was shown, through the gateway as well."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from pulse_core.clock import utcnow
from pulse_core.trading.order.split import split_orders
from tests.contract.client import Account, Service, error_of, new_order

ORDERS = 25


def previewed(service: Service, account: Account, body: dict[str, Any]) -> dict[str, Any]:
    answer = service.send("POST", f"{service.orders}/preview", account, json=body)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def any_order(random: Random) -> dict[str, Any]:
    num_splits = random.randint(2, 30)
    return new_order(
        total_quantity=num_splits * random.randint(1, 50),
        num_splits=num_splits,
        duration_minutes=random.randint(60, 1440),
        randomize=random.random() < 0.7,
    )


def test_orders_have_the_schedules_that_their_previews_showed(service: Service, trader: Account) -> None:
    random = Random(7)
    shown: dict[str, list[dict[str, Any]]] = {}
    for _ in range(ORDERS):
        body = any_order(random)
        plan = previewed(service, trader, body)
        accepted = service.send("POST", service.orders, trader, json=body | {"plan_token": plan["plan_token"]})
        assert accepted.status_code in (201, 202), accepted.text
        shown[accepted.json()["order_id"]] = plan["slices"]
    split_orders(list(shown), utcnow())
    for order_id, expected in shown.items():
        slices = service.send("GET", f"{service.orders}/{order_id}/slices", trader).json()["slices"]
        assert [{name: one[name] for name in expected[0]} for one in slices] == expected


def test_a_preview_names_its_order_and_makes_none(service: Service, trader: Account) -> None:
    body = new_order(order_type="LIMIT", limit_price="1402.35")

    plan = previewed(service, trader, body)

    assert {name: plan[name] for name in ("order_unique_key", "instrument", "side", "total_quantity")} == {
        name: body[name] for name in ("order_unique_key", "instrument", "side", "total_quantity")
    }
    assert (plan["price"], plan["worth"], plan["currency"]) == ("1402.35", "140235.00", "INR")
    assert plan["broker_account"] == "paper"
    shown = service.send("GET", f"{service.orders}/by-key/{body['order_unique_key']}", trader)
    assert shown.status_code == 404


def test_a_plan_that_has_changed_says_what_differs(service: Service, trader: Account) -> None:
    body = new_order()
    plan = previewed(service, trader, body)

    changed = body | {"total_quantity": 101, "plan_token": plan["plan_token"]}
    answer = service.send("POST", service.orders, trader, json=changed)

    assert error_of(answer)[:2] == (409, "PLAN_CHANGED")
    assert answer.json()["error"]["details"] == {"differs": [{"field": "total_quantity", "before": 100, "after": 101}]}


def test_the_plan_of_somebody_else_is_none(
    service: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    body = new_order()
    plan = previewed(service, trader, body)

    answer = service.send("POST", service.orders, new_account(), json=body | {"plan_token": plan["plan_token"]})

    assert error_of(answer)[:2] == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "wrong",
    [{"plan_token": "AAAA"}, {"plan_token": None}, {"total_quantity": 0}, {"instrument": "NYSE:IBM"}, {"side": None}],
    ids=str,
)
def test_a_preview_is_held_to_the_rules_of_an_order(service: Service, trader: Account, wrong: dict[str, Any]) -> None:
    answer = service.send("POST", f"{service.orders}/preview", trader, json=new_order() | wrong)
    assert answer.status_code == 400
