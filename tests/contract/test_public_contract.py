"""The public upstream contract, example by example, as a client of the gateway meets it."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.contract.client import Account, Service, error_of

UNKNOWN_ORDER = "ord_01J00000000000000000000000"
SPLIT = {"num_splits": 5, "duration_minutes": 60, "randomize": True}
ORDER: dict[str, Any] = {
    "order_unique_key": "my-order-1",
    "instrument": "NSE:RELIANCE",
    "side": "BUY",
    "total_quantity": 100,
    "split_config": SPLIT,
}


def place(gapi: Service, account: Account, **changes: Any) -> Any:
    return gapi.send("POST", "/api/orders", account, json=ORDER | changes)


def test_an_order_is_accepted_with_its_ids_and_its_place(gapi: Service, trader: Account) -> None:
    answer = place(gapi, trader)
    assert (answer.status_code, answer.json()["order_unique_key"]) == (202, "my-order-1")
    assert re.fullmatch("ord_[0-9A-Z]{26}", answer.json()["order_id"])
    assert answer.headers["Location"] == f"/api/orders/{answer.json()['order_id']}"
    assert "Idempotent-Replayed" not in answer.headers


def test_the_same_order_again_is_the_same_order(gapi: Service, trader: Account) -> None:
    first, again = place(gapi, trader), place(gapi, trader)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_key_that_is_used_up_names_itself_the_order_and_what_differs(gapi: Service, trader: Account) -> None:
    order_id = place(gapi, trader).json()["order_id"]
    stated = {"order_unique_key": "my-order-1", "existing_order_id": order_id, "differs": ["total_quantity"]}
    assert error_of(place(gapi, trader, total_quantity=250)) == (
        409,
        "DUPLICATE_ORDER_UNIQUE_KEY",
        {"field": "order_unique_key"} | stated,
    )


@pytest.mark.parametrize("instrument", ["RELIANCE", "NYSE:IBM", "NSE:reliance"])
def test_an_instrument_that_is_none_comes_back_with_the_format(gapi: Service, trader: Account, instrument: str) -> None:
    status, code, details = error_of(place(gapi, trader, instrument=instrument))
    assert (status, code) == (400, "INVALID_INSTRUMENT")
    assert (details["instrument"], details["expected_format"]) == (instrument, "EXCHANGE:SYMBOL")


@pytest.mark.parametrize("quantity", [0, 3, 10**9 + 1])
def test_a_quantity_that_cannot_be_comes_back_with_the_number_of_slices(
    gapi: Service, trader: Account, quantity: int
) -> None:
    status, code, details = error_of(place(gapi, trader, total_quantity=quantity))
    assert (status, code) == (400, "INVALID_QUANTITY")
    assert (details["total_quantity"], details["num_splits"]) == (quantity, 5)


@pytest.mark.parametrize(
    ("name", "value", "least", "most"), [("num_splits", 101, 2, 100), ("duration_minutes", 1441, 1, 1440)]
)
def test_a_split_that_cannot_be_comes_back_with_its_limits(
    gapi: Service, trader: Account, name: str, value: int, least: int, most: int
) -> None:
    status, code, details = error_of(place(gapi, trader, total_quantity=1000, split_config=SPLIT | {name: value}))
    assert (status, code) == (400, "INVALID_SPLIT_CONFIG")
    assert (details[name], details["min"], details["max"]) == (value, least, most)


def test_what_is_missing_or_unknown_is_named(gapi: Service, trader: Account) -> None:
    status, code, details = error_of(gapi.send("POST", "/api/orders", trader, json={"surprise": 1}))
    assert (status, code) == (400, "INVALID_REQUEST")
    assert details["fields"].keys() == {*ORDER, "surprise"}


def test_an_order_and_its_slices_can_be_read(gapi: Service, trader: Account) -> None:
    location = place(gapi, trader).headers["Location"]
    order = gapi.send("GET", location, trader).json()
    assert order["split_config"].items() >= SPLIT.items()
    assert order.items() >= {**ORDER, "split_config": order["split_config"]}.items()
    assert order["status"] == "PENDING"
    assert order["exposure"].items() >= {"filled": 0, "working": 0, "unknown": 0, "unsent": 100}.items()
    assert gapi.send("GET", f"{location}/slices", trader).json()["slices"] == []
    window = datetime.fromisoformat(order["end_at"]) - datetime.fromisoformat(order["start_at"])
    assert window == timedelta(hours=1)


def test_orders_are_found_and_cancelled(gapi: Service, trader: Account) -> None:
    order_id = place(gapi, trader).json()["order_id"]
    page = gapi.send("GET", "/api/orders?status=PENDING&side=BUY&limit=1", trader).json()
    assert ([one["order_id"] for one in page["orders"]], page["next_cursor"]) == ([order_id], None)
    for _ in range(2):
        cancelled = gapi.send("DELETE", f"/api/orders/{order_id}", trader)
        assert (cancelled.status_code, cancelled.json()["status"]) == (202, "CANCELLED")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/slices"), ("DELETE", "")])
def test_an_order_that_is_not_there_is_not_found(gapi: Service, trader: Account, method: str, path: str) -> None:
    answer = gapi.send(method, f"/api/orders/{UNKNOWN_ORDER}{path}", trader)
    assert error_of(answer)[:2] == (404, "NOT_FOUND")


def test_nobody_gets_in_without_a_token(gapi: Service) -> None:
    answer = gapi.send("POST", "/api/orders", json=ORDER)
    assert error_of(answer)[:2] == (401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
