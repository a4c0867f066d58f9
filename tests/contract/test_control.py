"""Holding an order, letting it go on, and trying slices again, over HTTP on both services."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from api_contract.scopes import Role
from pulse_core import brokers, db
from pulse_core.brokers.port import Refused
from pulse_core.clock import utcnow
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.store import slices
from tests.contract.client import Account, Service, error_of
from tests.support.broker import SimulatedBroker, answer_with, lose_the_request
from tests.support.factories import a_slice, order, slices_of

pytestmark = pytest.mark.usefixtures("clean_database")


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> SimulatedBroker:
    simulated = SimulatedBroker()
    monkeypatch.setattr(brokers, "connect", lambda _account: simulated)
    return simulated


def a_running_order(service: Service, trader: Account) -> str:
    order_id = str(service.place(trader).json()["order_id"])
    split_orders([order_id], utcnow())
    return order_id


def act(service: Service, account: Account, order_id: str, action: str) -> tuple[int, str]:
    answer = service.send("POST", f"{service.orders}/{order_id}/{action}", account)
    return answer.status_code, answer.json().get("status") or error_of(answer)[1]


def test_an_order_is_paused_and_resumed_and_repeating_either_is_harmless(service: Service, trader: Account) -> None:
    order_id = a_running_order(service, trader)

    done = [act(service, trader, order_id, action) for action in ("pause", "pause", "resume", "resume")]

    assert done == [(202, "PAUSED"), (202, "PAUSED"), (202, "IN_PROGRESS"), (202, "IN_PROGRESS")]


def test_a_pause_says_what_becomes_of_working_slices(service: Service, trader: Account) -> None:
    order_id = a_running_order(service, trader)
    path = f"{service.orders}/{order_id}/pause"
    refused = service.send("POST", f"{path}?working=drop", trader)
    assert (refused.status_code, error_of(refused)[2]["field"]) == (400, "working")
    once = {"Idempotency-Key": "once"}
    assert [service.send("POST", f"{path}?working={one}", trader, once).status_code for one in ("keep", "cancel")] == [
        202,
        409,
    ]
    assert service.send("POST", f"{path}?working=cancel", trader).json()["status"] == "PAUSED"
    assert order(order_id).recalls_working


def test_an_order_is_amended_as_it_was_seen(service: Service, trader: Account) -> None:
    order_id = a_running_order(service, trader)
    path, changes = f"{service.orders}/{order_id}", {"total_quantity": 60, "client_note": "less"}
    assert error_of(service.send("PATCH", path, trader, json=changes))[:2] == (428, "PRECONDITION_REQUIRED")
    seen = {"If-Match": service.send("GET", path, trader).headers["ETag"], "Idempotency-Key": "once"}

    amended = service.send("PATCH", path, trader, seen, json=changes)
    again = service.send("PATCH", path, trader, seen, json=changes)

    shown = amended.json()
    assert (amended.status_code, shown["total_quantity"], shown["exposure"]["unsent"]) == (200, 60, 60)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (shown, "true")
    assert service.send("GET", path, trader).headers["ETag"] == amended.headers["ETag"]
    late = service.send("PATCH", path, trader, {"If-Match": seen["If-Match"]}, json={"total_quantity": 70})
    assert error_of(late)[:2] == (412, "PRECONDITION_FAILED")
    assert service.send("GET", path, trader).json()["total_quantity"] == 60


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({}, 400, "INVALID_REQUEST", "body"),
        ({"side": "SELL"}, 400, "INVALID_REQUEST", "side"),
        ({"total_quantity": "60"}, 400, "INVALID_REQUEST", "total_quantity"),
        ({"total_quantity": None}, 400, "INVALID_REQUEST", "total_quantity"),
        ({"total_quantity": 0}, 400, "INVALID_REQUEST", "total_quantity"),
        ({"total_quantity": 10**20}, 400, "INVALID_REQUEST", "total_quantity"),
        ({"duration_minutes": 1441}, 400, "INVALID_REQUEST", "duration_minutes"),
        ({"duration_minutes": 30, "end_at": "2026-11-23T07:10:00Z"}, 400, "INVALID_REQUEST", "end_at"),
        ({"end_at": "2020-01-01T00:00:00Z"}, 400, "INVALID_REQUEST", "end_at"),
        ({"end_at": "9999-12-31T23:59:59Z"}, 400, "INVALID_REQUEST", "end_at"),
        ({"end_at": "soon"}, 400, "INVALID_REQUEST", "end_at"),
        ({"limit_price": "1402.35"}, 400, "INVALID_REQUEST", "limit_price"),
        ({"limit_price": "1402.355"}, 400, "INVALID_REQUEST", "limit_price"),
        ({"limit_price": 1402.35}, 400, "INVALID_REQUEST", "limit_price"),
        ({"client_note": "a\x00b"}, 400, "INVALID_REQUEST", "client_note"),
        ({"client_note": "x" * 201}, 400, "INVALID_REQUEST", "client_note"),
    ],
)
def test_what_an_order_cannot_become_is_refused_by_name(
    service: Service, trader: Account, changes: dict[str, object], status: int, code: str, field: str
) -> None:
    order_id = a_running_order(service, trader)
    refused = service.send("PATCH", f"{service.orders}/{order_id}", trader, {"If-Match": "*"}, json=changes)
    assert (refused.status_code, error_of(refused)[1], error_of(refused)[2]["field"]) == (status, code, field)


def test_no_less_than_what_was_sent(
    service: Service, trader: Account, new_account: Callable[..., Account], broker: SimulatedBroker
) -> None:
    order_id = a_running_order(service, trader)
    execute_slice(slices_of(order_id)[0].id)
    path, whatever = f"{service.orders}/{order_id}", {"If-Match": "*"}

    refused = service.send("PATCH", path, trader, whatever, json={"total_quantity": 1})

    status, code, details = error_of(refused)
    assert (status, code, details["min"]) == (422, "QUANTITY_TOO_SMALL", slices_of(order_id)[0].quantity)
    assert service.send("PATCH", path, new_account(), whatever, json={"total_quantity": 50}).status_code == 404
    operator = new_account(Role.OPERATOR)
    assert service.send("PATCH", path, operator, whatever, json={"total_quantity": 50}).status_code == 200
    service.send("DELETE", path, trader)
    assert error_of(service.send("PATCH", path, trader, whatever, json={"total_quantity": 50}))[1] == "INVALID_STATE"


def test_an_order_that_is_not_split_cannot_be_paused(service: Service, trader: Account) -> None:
    order_id = service.place(trader).json()["order_id"]

    assert act(service, trader, order_id, "pause") == (409, "INVALID_STATE")


def test_anothers_order_cannot_be_paused(
    service: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    order_id = a_running_order(service, trader)

    assert act(service, new_account(), order_id, "pause") == (404, "NOT_FOUND")
    assert act(service, new_account(Role.VIEWER), order_id, "pause") == (403, "FORBIDDEN")


def test_an_operator_retries_a_rejected_slice_of_any_account(
    service: Service, trader: Account, new_account: Callable[..., Account], broker: SimulatedBroker
) -> None:
    broker.answers = [answer_with(Refused("MarginException", "not enough funds"))]
    order_id = a_running_order(service, trader)
    first = slices_of(order_id)[0]
    execute_slice(first.id)
    operator, retry = new_account(Role.OPERATOR), f"slices/{first.id}/retry"

    assert act(service, trader, order_id, retry) == (403, "FORBIDDEN")
    assert act(service, operator, order_id, retry) == (202, "SCHEDULED")
    assert act(service, operator, order_id, retry) == (409, "INVALID_STATE")


def test_an_operator_has_an_unknown_slice_looked_up(
    service: Service, trader: Account, new_account: Callable[..., Account], broker: SimulatedBroker
) -> None:
    broker.answers = [lose_the_request]
    order_id = a_running_order(service, trader)
    first, second = slices_of(order_id)[:2]
    execute_slice(first.id)
    operator = new_account(Role.OPERATOR)

    assert act(service, operator, order_id, f"slices/{first.id}/resolve") == (202, "UNKNOWN")
    assert act(service, operator, order_id, f"slices/{second.id}/resolve") == (409, "INVALID_STATE")


def a_doubted_slice(service: Service, trader: Account, broker: SimulatedBroker) -> tuple[str, str]:
    """Ids of an order and its first slice, of which nobody knows what became since its day ended."""
    broker.answers = [lose_the_request]
    order_id = a_running_order(service, trader)
    first = slices_of(order_id)[0]
    execute_slice(first.id)
    with db.transaction() as session:
        slices.change(session, first.id, utcnow(), sent_at=utcnow() - timedelta(days=2))
    return order_id, first.id


def test_an_operator_settles_a_slice_that_no_book_can_tell_of(
    service: Service, trader: Account, new_account: Callable[..., Account], broker: SimulatedBroker
) -> None:
    order_id, slice_id = a_doubted_slice(service, trader, broker)
    said = {"filled": a_slice(slice_id).quantity, "price": "2500.05"}
    path, operator = f"{service.orders}/{order_id}/slices/{slice_id}/settle", new_account(Role.OPERATOR)

    refused = service.send("POST", path, trader, json=said)
    settled, again = service.send("POST", path, operator, json=said), service.send("POST", path, operator, json=said)

    assert error_of(refused)[:2] == (403, "FORBIDDEN")
    shown = settled.json()
    assert (settled.status_code, shown["status"], shown["average_price"]) == (202, "FILLED", "2500.0500")
    assert service.send("GET", f"{service.orders}/{order_id}", trader).json()["average_price"] == "2500.0500"
    assert error_of(again)[:2] == (409, "INVALID_STATE")
    assert again.json()["error"]["details"] == {"status": "FILLED"}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "filled"),
        ({"filled": 5}, "price"),
        ({"filled": 101, "price": "2500.05"}, "filled"),
        ({"filled": "5", "price": "2500.05"}, "filled"),
        ({"filled": 5, "price": 2500.05}, "price"),
        ({"filled": 5, "price": "2500.00001"}, "price"),
        ({"filled": 5, "price": "2500.05", "absent": True}, "filled"),
        ({"absent": True}, "reason"),
        ({"absent": True, "reason": "x" * 201}, "reason"),
        ({"absent": True, "reason": "sure", "actor": "acc_1"}, "actor"),
    ],
)
def test_what_cannot_have_become_of_a_slice_is_refused_by_name(
    service: Service,
    trader: Account,
    new_account: Callable[..., Account],
    broker: SimulatedBroker,
    said: dict[str, object],
    field: str,
) -> None:
    order_id, slice_id = a_doubted_slice(service, trader, broker)
    path = f"{service.orders}/{order_id}/slices/{slice_id}/settle"

    status, code, details = error_of(service.send("POST", path, new_account(Role.OPERATOR), json=said))

    assert (status, code, details["field"]) == (400, "INVALID_REQUEST", field)


@pytest.mark.parametrize("slice_id", ["sl_00000000000000000000000000", "nothing", "%00"])
def test_a_slice_that_is_not_of_the_order_is_not_found(
    service: Service, trader: Account, new_account: Callable[..., Account], slice_id: str
) -> None:
    order_id = a_running_order(service, trader)

    assert act(service, new_account(Role.OPERATOR), order_id, f"slices/{slice_id}/retry") == (404, "NOT_FOUND")


def test_the_terms_of_an_order_are_kept_and_shown(service: Service, trader: Account) -> None:
    start_at = (utcnow() + timedelta(days=2)).isoformat().replace("+00:00", "Z")
    terms = {
        "order_type": "LIMIT",
        "limit_price": "2500.50",
        "start_at": start_at,
        "session": "wait",
        "product": "MIS",
        "slice_timeout_seconds": 30,
        "client_note": "hedge of the book",
        "broker_account": "paper",
    }

    order_id = service.place(trader, **terms).json()["order_id"]

    shown = service.send("GET", f"{service.orders}/{order_id}", trader).json()
    assert {name: shown[name] for name in terms} == terms


@pytest.mark.parametrize("limit_price", ["2510.50", "2510.5", "2510", "2500.00", "0.01", "10000000"])
def test_a_limit_price_comes_back_with_the_digits_that_were_given(
    service: Service, trader: Account, limit_price: str
) -> None:
    order_id = service.place(trader, order_type="LIMIT", limit_price=limit_price).json()["order_id"]

    [listed] = service.send("GET", service.orders, trader).json()["orders"]
    shown = service.send("GET", f"{service.orders}/{order_id}", trader).json()

    assert (listed["limit_price"], shown["limit_price"]) == (limit_price, limit_price)


def test_a_repeat_may_write_the_limit_price_with_other_digits(service: Service, trader: Account) -> None:
    first, again = (
        service.place(trader, order_unique_key="key-1", order_type="LIMIT", limit_price=price).json()
        for price in ("2510.50", "2510.5")
    )

    assert first == again


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"order_type": "LIMIT"}, "limit_price"),
        ({"limit_price": "2500.05"}, "limit_price"),
        ({"order_type": "LIMIT", "limit_price": "0"}, "limit_price"),
        ({"order_type": "LIMIT", "limit_price": "2500.055"}, "limit_price"),
        ({"order_type": "LIMIT", "limit_price": 2500.05}, "limit_price"),
        ({"order_type": "LIMIT", "limit_price": "1e3"}, "limit_price"),
        ({"order_type": "LIMIT", "limit_price": "٢٥٠٠"}, "limit_price"),
        ({"order_type": "STOP"}, "order_type"),
        ({"start_at": "2020-01-01T00:00:00Z"}, "start_at"),
        ({"start_at": "2126-01-01T00:00:00Z"}, "start_at"),
        ({"start_at": "2026-01-01T00:00:00+05:30"}, "start_at"),
        ({"session": "later"}, "session"),
        ({"product": "BO"}, "product"),
        ({"slice_timeout_seconds": 0}, "slice_timeout_seconds"),
        ({"slice_timeout_seconds": 3601}, "slice_timeout_seconds"),
        ({"slice_timeout_seconds": "30"}, "slice_timeout_seconds"),
        ({"client_note": "x" * 201}, "client_note"),
        ({"client_note": "two\nlines"}, "client_note"),
    ],
)
def test_terms_out_of_range_are_refused_by_name(
    service: Service, trader: Account, terms: dict[str, object], field: str
) -> None:
    status, code, details = error_of(service.place(trader, **terms))

    assert (status, code, details["field"]) == (400, "INVALID_REQUEST", field)
