"""Pages that cannot be forged, either way of sorting, and answers that need not be sent twice."""

from collections.abc import Callable

import pytest

from tests.contract.client import Account, Service, error_of

pytestmark = pytest.mark.usefixtures("clean_database")


def pages(service: Service, account: Account, sort: str, limit: int = 2) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        page = service.send("GET", f"{service.orders}?sort={sort}&limit={limit}{cursor}", account).json()
        found += [order["order_id"] for order in page["orders"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def test_pages_show_every_order_once_in_either_order(service: Service, trader: Account) -> None:
    placed = [service.place(trader).json()["order_id"] for _ in range(5)]

    assert pages(service, trader, "created_at") == placed
    assert pages(service, trader, "-created_at") == placed[::-1]


def test_a_cursor_that_was_changed_is_refused(service: Service, trader: Account) -> None:
    for _ in range(3):
        service.place(trader)
    cursor = service.send("GET", f"{service.orders}?limit=1", trader).json()["next_cursor"]

    for forged in (cursor[:-2] + "AA", "A" + cursor[1:], cursor[:20], "b3JkXw=="):
        refusal = service.send("GET", f"{service.orders}?cursor={forged}", trader)
        assert error_of(refusal) == (400, "INVALID_REQUEST", {"field": "cursor"}), forged


def test_a_cursor_belongs_to_its_account_and_its_sorting(
    service: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    for _ in range(2):
        service.place(trader)
    cursor = service.send("GET", f"{service.orders}?limit=1", trader).json()["next_cursor"]

    for account, sort in ((new_account(), "-created_at"), (trader, "created_at")):
        refusal = service.send("GET", f"{service.orders}?sort={sort}&cursor={cursor}", account)
        assert error_of(refusal)[1] == "INVALID_REQUEST"


def test_an_unchanged_answer_is_304_without_a_body(gapi: Service, trader: Account) -> None:
    order_id = gapi.place(trader).json()["order_id"]
    for path in ("/api/orders", f"/api/orders/{order_id}", f"/api/orders/{order_id}/slices"):
        first = gapi.send("GET", path, trader)
        again = gapi.send("GET", path, trader, {"If-None-Match": first.headers["ETag"]})

        assert (again.status_code, again.content) == (304, b""), path


def test_a_changed_answer_is_sent_in_full(gapi: Service, trader: Account) -> None:
    order_id = gapi.place(trader).json()["order_id"]
    before = gapi.send("GET", f"/api/orders/{order_id}", trader)
    gapi.send("DELETE", f"/api/orders/{order_id}", trader)

    after = gapi.send("GET", f"/api/orders/{order_id}", trader, {"If-None-Match": before.headers["ETag"]})

    assert (after.status_code, after.json()["status"]) == (200, "CANCELLED")
