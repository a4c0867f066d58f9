"""The same order, sent by many at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.contract.client import Account, Service, error_of, new_order

RACERS = 16


def race(service: Service, trader: Account, bodies: list[dict[str, Any]]) -> list[requests.Response]:
    with ThreadPoolExecutor(len(bodies)) as threads:
        return list(threads.map(lambda body: service.send("POST", service.orders, trader, json=body), bodies))


def test_repeats_that_race_make_one_order(service: Service, trader: Account) -> None:
    answers = race(service, trader, [new_order(order_unique_key="the-one")] * RACERS)
    assert len({answer.json()["order_id"] for answer in answers}) == 1
    assert len(service.send("GET", service.orders, trader).json()["orders"]) == 1
    if service.name == "gapi":
        assert {answer.status_code for answer in answers} == {202}
        assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
        assert {answer.headers.get("Idempotent-Replayed", "true") for answer in answers} == {"true"}
    else:
        assert sorted(answer.status_code for answer in answers) == [200] * (RACERS - 1) + [201]


def test_different_orders_that_race_for_a_key_have_one_winner(service: Service, trader: Account) -> None:
    bodies = [new_order(order_unique_key="the-one", total_quantity=100 + n) for n in range(RACERS)]
    answers = race(service, trader, bodies)
    [winner] = [answer for answer in answers if answer.status_code < 300]
    for loser in (answer for answer in answers if answer is not winner):
        status, code, details = error_of(loser)
        assert (status, code, details["differs"]) == (409, "DUPLICATE_ORDER_UNIQUE_KEY", ["total_quantity"])
        assert details["existing_order_id"] == winner.json()["order_id"]


def test_an_order_through_the_gateway_is_the_same_order_on_pulse(
    gapi: Service, pulse: Service, trader: Account
) -> None:
    body = new_order()
    order_id = gapi.send("POST", gapi.orders, trader, json=body).json()["order_id"]
    again = pulse.send("POST", pulse.orders, trader, json=body)
    assert (again.status_code, again.json()["order_id"]) == (200, order_id)
