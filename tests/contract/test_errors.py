"""Every row of the contract's error table, through the gateway and directly on pulse."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from api_contract.scopes import Role
from pulse_core import db
from tests.contract.client import Account, Service, error_of, new_order

UNKNOWN_ORDER = "ord_01J00000000000000000000000"


@pytest.mark.parametrize("field", ["order_unique_key", "instrument", "side", "total_quantity", "split_config"])
def test_a_missing_field_is_named(service: Service, trader: Account, field: str) -> None:
    status, code, details = error_of(service.place(trader, **{field: None}))
    assert (status, code, details["field"]) == (400, "INVALID_REQUEST", field)


@pytest.mark.parametrize("field", ["num_splits", "duration_minutes"])
def test_a_missing_part_of_the_split_is_named(service: Service, trader: Account, field: str) -> None:
    body = new_order()
    del body["split_config"][field]
    status, code, details = error_of(service.send("POST", service.orders, trader, json=body))
    assert (status, code, details["field"]) == (400, "INVALID_REQUEST", f"split_config.{field}")


def test_several_faults_are_named_together(service: Service, trader: Account) -> None:
    answer = service.place(trader, side="HOLD", total_quantity="ten", surprise=1)
    status, code, details = error_of(answer)
    assert (status, code) == (400, "INVALID_REQUEST")
    assert details["fields"].keys() == {"side", "total_quantity", "surprise"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("total_quantity", True),
        ("total_quantity", 5.0),
        ("total_quantity", "100"),
        ("total_quantity", "\u0661\u0660\u0660"),
        ("total_quantity", [100]),
        ("num_splits", 5.5),
        ("num_splits", False),
        ("duration_minutes", "60"),
        ("randomize", 1),
        ("randomize", "true"),
        ("order_unique_key", 7),
        ("instrument", ["NSE:TCS"]),
        ("side", "buy"),
        ("side", {"side": "BUY"}),
        ("split_config", []),
        ("split_config", "5"),
    ],
)
def test_an_ill_typed_field_is_refused(service: Service, trader: Account, field: str, value: Any) -> None:
    status, code, details = error_of(service.place(trader, **{field: value}))
    assert (status, code) == (400, "INVALID_REQUEST")
    assert details["field"].removeprefix("split_config.") == field


@pytest.mark.parametrize("key", ["", "x" * 65, "tab\t", "é", "line\nbreak"])
def test_a_key_is_up_to_64_printable_ascii_characters(service: Service, trader: Account, key: str) -> None:
    status, code, details = error_of(service.place(trader, order_unique_key=key))
    assert (status, code, details["field"]) == (400, "INVALID_REQUEST", "order_unique_key")


@pytest.mark.parametrize(
    "instrument",
    ["RELIANCE", "NSE:", ":RELIANCE", "NSE:reliance", "NYSE:IBM", "NSE:A B", "NSE:A:B", f"NSE:{'A' * 33}", "NSE:TCS\n"],
)
def test_an_instrument_is_exchange_and_symbol(service: Service, trader: Account, instrument: str) -> None:
    status, code, details = error_of(service.place(trader, instrument=instrument))
    assert (status, code, details["expected_format"]) == (400, "INVALID_INSTRUMENT", "EXCHANGE:SYMBOL")


@pytest.mark.parametrize("quantity", [0, -1, 4, 10**9 + 1, 2**63, 10**30])
def test_a_quantity_has_limits(service: Service, trader: Account, quantity: int) -> None:
    status, code, details = error_of(service.place(trader, total_quantity=quantity))
    assert (status, code, details["field"]) == (400, "INVALID_QUANTITY", "total_quantity")


@pytest.mark.parametrize(
    ("field", "value", "least", "most"),
    [
        ("num_splits", 1, 2, 100),
        ("num_splits", 101, 2, 100),
        ("duration_minutes", 0, 1, 1440),
        ("duration_minutes", 1441, 1, 1440),
        ("duration_minutes", -(2**70), 1, 1440),
    ],
)
def test_a_split_has_limits(service: Service, trader: Account, field: str, value: int, least: int, most: int) -> None:
    status, code, details = error_of(service.place(trader, **{field: value}, total_quantity=10_000))
    assert (status, code) == (400, "INVALID_SPLIT_CONFIG")
    assert (details["min"], details["max"]) == (least, most)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=ten", "limit=%D9%A1", "limit=1.0", "limit=", "limit=+5",
        "limit=1&limit=2", "page=2", "status=OPEN", "side=buy", "instrument=x", "instrument=NSE:TCS%0A",
        "created_from=2026-01-01", "created_from=2026-01-01T00:00:00", "created_to=2026-01-01T00:00:00%2B05:30",
        "created_to=2026-02-30T00:00:00Z", "created_to=%D9%A2026-01-01T00:00:00Z", "cursor=", "cursor=nonsense",
        "cursor=%00", "cursor=b3JkXw", "status=%FF", "search=", "search=%00", f"search={'x' * 65}",
        "account_id=acc_8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "account_id=acc_01j00000000000000000000000",
    ],
)  # fmt: skip
def test_a_query_is_read_strictly(service: Service, trader: Account, query: str) -> None:
    status, code, details = error_of(service.send("GET", f"{service.orders}?{query}", trader))
    assert (status, code) == (400, "INVALID_REQUEST")
    assert details["field"] == query.partition("=")[0]


def test_an_unknown_order_is_not_found(service: Service, trader: Account) -> None:
    for order_id in (UNKNOWN_ORDER, "ord_x", "x", "%00", "ord_01J%00", "ord_%C3%A9", UNKNOWN_ORDER.lower()):
        for method, path in (("GET", ""), ("GET", "/slices"), ("DELETE", "")):
            answer = service.send(method, f"{service.orders}/{order_id}{path}", trader)
            assert error_of(answer)[:2] == (404, "NOT_FOUND"), order_id


@pytest.mark.parametrize(
    "path", ["/nowhere/", "/nowhere", "//orders", "/%00", "/%ff%fe", "/..%2f..%2fetc/passwd", "/%E2%82%AC"]
)
def test_an_unknown_path_is_not_found(service: Service, path: str) -> None:
    assert error_of(service.send("GET", path))[:2] == (404, "NOT_FOUND")


def test_a_wrong_method_names_the_right_ones(service: Service, trader: Account) -> None:
    answer = service.send("PUT", service.orders, trader, json={})
    assert error_of(answer)[:2] == (405, "METHOD_NOT_ALLOWED")
    assert set(answer.headers["Allow"].split(", ")) >= {"GET", "POST"}
    assert service.send("BREW", service.orders).status_code == 405


def test_a_used_key_with_another_order_is_a_conflict(service: Service, trader: Account) -> None:
    body = new_order()
    first = service.send("POST", service.orders, trader, json=body).json()["order_id"]
    body |= {"side": "SELL", "total_quantity": 99}
    status, code, details = error_of(service.send("POST", service.orders, trader, json=body))
    assert (status, code) == (409, "DUPLICATE_ORDER_UNIQUE_KEY")
    assert details["existing_order_id"] == first
    assert sorted(details["differs"]) == ["side", "total_quantity"]


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"]
)
def test_a_body_must_be_json_by_its_type(service: Service, trader: Account, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = service.send("POST", service.orders, trader, headers=headers, data=b"{}")
    assert error_of(answer)[:2] == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_viewer_looks_and_does_not_trade(
    service: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    viewer = new_account(Role.VIEWER)
    assert service.send("GET", service.orders, viewer).status_code == 200
    assert error_of(service.place(viewer))[:2] == (403, "FORBIDDEN")
    assert error_of(service.place(viewer, total_quantity=0))[:2] == (403, "FORBIDDEN")
    location = service.place(trader).headers["Location"]
    assert error_of(service.send("DELETE", location, viewer))[:2] == (403, "FORBIDDEN")


@pytest.mark.usefixtures("environment")
def test_a_finished_order_cannot_be_cancelled(service: Service, trader: Account) -> None:
    order_id = service.place(trader).json()["order_id"]
    with db.transaction() as session:
        session.execute(
            text("UPDATE orders SET status = 'SKIPPED', skip_reason = 'test', finished_at = now() WHERE id = :id"),
            {"id": order_id},
        )
    status, code, details = error_of(service.send("DELETE", f"{service.orders}/{order_id}", trader))
    assert (status, code, details["status"]) == (409, "INVALID_STATE", "SKIPPED")
