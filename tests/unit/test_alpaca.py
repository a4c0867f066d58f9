"""What Alpaca's answers mean, and what is sent to it."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from api_contract.vocabulary import Product, Side
from pulse_core.boottime import boottime
from pulse_core.brokers.alpaca.allowance import LEFT_TO_WRITES, Allowance
from pulse_core.brokers.alpaca.broker import AlpacaBroker
from pulse_core.brokers.port import (
    RATE_LIMITED,
    AlreadyThere,
    BookUnavailable,
    BrokerError,
    BrokerOrder,
    BrokerOrderStatus,
    BrokerTrade,
    CallLimits,
    NotSent,
    OutcomeUnknown,
    Placement,
    Refused,
    Scope,
)
from tests.unit.wire import Act, answer, hang_up, redirect, reset, say_nothing, wire

KEY, SECRET = "key-0123456789", "secret-0123456789"
PLACEMENT = Placement("ABCDEFGHIJ0123456789", "NYSE:BRK.B", Side.BUY, 12, Decimal("480.10"))
ID = "61e69015-8549-4bfd-b9c3-01e75843f47d"
ORDER: dict[str, Any] = {
    "id": ID,
    "client_order_id": PLACEMENT.client_order_id,
    "status": "partially_filled",
    "qty": "12",
    "filled_qty": "5",
    "filled_avg_price": "480.055",
    "submitted_at": "2026-11-23T14:30:00.123456789Z",
}
FILL: dict[str, Any] = {
    "id": "20261123143001000::8efc7b9a-8b2b-4000-9955-d36e7db0df74",
    "order_id": ID,
    "qty": "5",
    "price": "480.055",
    "transaction_time": "2026-11-23T14:30:01.5Z",
}
READ = BrokerOrder(ID, PLACEMENT.client_order_id, BrokerOrderStatus.OPEN, 12, 5, Decimal("480.055"), None)


def broker(url: str, timeout: float = 5.0) -> AlpacaBroker:
    return AlpacaBroker(name="alpaca", root=url, api_key=KEY, api_secret=SECRET, timeout=timeout, limits=CallLimits(0))


def soon() -> float:
    return boottime() + 10


def told(status: int, body: Any) -> Act:
    return answer(status, json.dumps(body).encode())


def outcome(act: Act, timeout: float = 5.0) -> BrokerError:
    with wire(act) as end, pytest.raises(BrokerError) as raised:
        broker(end.url, timeout).place(PLACEMENT, soon())
    assert len(end.requests) == 1
    return raised.value


def test_an_order_is_sent_with_its_own_id_for_the_day() -> None:
    with wire(told(200, ORDER)) as end:
        assert broker(end.url).place(PLACEMENT, soon()) == ID
    head, _, body = end.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v2/orders HTTP/1.1")
    assert f"APCA-API-KEY-ID: {KEY}".encode() in head
    assert f"APCA-API-SECRET-KEY: {SECRET}".encode() in head
    assert json.loads(body) == {
        "symbol": "BRK.B",
        "qty": "12",
        "side": "buy",
        "type": "limit",
        "limit_price": "480.10",
        "time_in_force": "day",
        "client_order_id": PLACEMENT.client_order_id,
    }


def test_an_id_that_is_in_use_means_that_the_order_is_there() -> None:
    found = outcome(told(422, {"code": 40010001, "message": "client_order_id must be unique"}))

    assert isinstance(found, AlreadyThere)
    assert found.broker_order_id is None


@pytest.mark.parametrize(
    ("status", "message", "scope"),
    [
        (401, "unauthorized.", Scope.ACCOUNT),
        (403, "forbidden.", Scope.ACCOUNT),
        (403, "insufficient buying power", Scope.FUNDS),
        (403, "insufficient qty available for order (requested: 12, available: 0)", Scope.HOLDINGS),
        (403, "market is closed", Scope.MARKET),
        (422, "asset BRK.Z not found", Scope.ORDER),
        (422, "client_order_id must be no more than 128 characters", Scope.ORDER),
        (404, "not found", Scope.ORDER),
    ],
)
def test_a_clear_no_is_a_refusal_with_its_scope(status: int, message: str, scope: Scope) -> None:
    refusal = outcome(told(status, {"code": status * 100_000, "message": message}))

    assert (type(refusal), refusal.scope, refusal.message) == (Refused, scope, message)


def test_too_many_calls_mean_not_sent() -> None:
    failed = outcome(told(429, {"code": 42910000, "message": "rate limit exceeded"}))

    assert (type(failed), failed.code, failed.scope) == (NotSent, RATE_LIMITED, Scope.BUDGET)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(reset, id="reset"),
        pytest.param(hang_up, id="closed"),
        pytest.param(answer(200, b'{"id": "1', length=500), id="half a body"),
        pytest.param(answer(200, b'{"id": "1'), id="broken JSON"),
        pytest.param(told(200, {}), id="no id"),
        pytest.param(told(200, [ORDER]), id="a list"),
        pytest.param(told(200, ORDER | {"client_order_id": "ANOTHER"}), id="another order"),
        pytest.param(answer(204, b""), id="no content"),
        pytest.param(told(202, ORDER), id="another success"),
        pytest.param(told(408, {"message": "x"}), id="408"),
        pytest.param(told(409, {"message": "x"}), id="409"),
        pytest.param(told(500, ORDER), id="an order under 500"),
        pytest.param(told(504, {"message": "x"}), id="504"),
        pytest.param(redirect("http://127.0.0.1:1/"), id="redirect"),
    ],
)
def test_whatever_leaves_a_doubt_is_unknown(act: Act) -> None:
    assert isinstance(outcome(act), OutcomeUnknown)


def test_an_answer_that_does_not_come_in_time_is_unknown() -> None:
    assert isinstance(outcome(say_nothing, timeout=0.2), OutcomeUnknown)


def test_a_product_that_it_does_not_have_is_refused_before_anything_leaves() -> None:
    with wire(told(200, ORDER)) as end, pytest.raises(Refused):
        broker(end.url).place(Placement("A" * 20, "NYSE:KO", Side.BUY, 1, product=Product.MIS), soon())
    assert end.requests == []


def test_no_error_tells_a_secret() -> None:
    refusal = outcome(told(401, {"message": f"no such key {KEY} with {SECRET}"}))
    assert refusal.message == "no such key *** with ***"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("new", BrokerOrderStatus.OPEN),
        ("pending_cancel", BrokerOrderStatus.OPEN),
        ("done_for_day", BrokerOrderStatus.OPEN),
        ("newly_invented", BrokerOrderStatus.OPEN),
        ("filled", BrokerOrderStatus.COMPLETE),
        ("canceled", BrokerOrderStatus.CANCELLED),
        ("expired", BrokerOrderStatus.EXPIRED),
        ("rejected", BrokerOrderStatus.REJECTED),
    ],
)
def test_what_is_not_final_is_open(status: str, expected: BrokerOrderStatus) -> None:
    with wire(told(200, ORDER | {"status": status})) as end:
        assert broker(end.url).order(ID).status is expected


def test_an_order_is_found_by_its_own_id_and_only_a_clear_answer_says_that_there_is_none() -> None:
    with wire(told(200, ORDER)) as end:
        assert broker(end.url).find(PLACEMENT.client_order_id) == READ
    assert b"GET /v2/orders:by_client_order_id?client_order_id=ABCDEFGHIJ0123456789 " in end.requests[0]
    with wire(told(404, {"code": 40410000, "message": "order not found"})) as end:
        assert broker(end.url).find(PLACEMENT.client_order_id) is None
    for act in (
        answer(404, b"<html>Not Found</html>", "text/html"),
        told(404, {}),
        told(403, {"code": 1}),
        told(200, ORDER | {"client_order_id": "ANOTHER"}),
        told(200, ORDER | {"qty": None}),
        reset,
    ):
        with wire(act) as end, pytest.raises(BookUnavailable):
            broker(end.url).find(PLACEMENT.client_order_id)


@pytest.mark.parametrize("change", [{"qty": "0.5"}, {"qty": None, "notional": "100"}, {"filled_qty": "0.123"}])
def test_parts_of_shares_that_somebody_else_ordered_stop_nothing(change: dict[str, Any]) -> None:
    others = ORDER | {"id": "7", "client_order_id": "8c8e1a11-1111-4d07-9f83-1b5f1b3bd1c5"} | change
    with wire(told(200, [others, ORDER])) as end:
        shown, ours = broker(end.url).order_book()
    assert (shown.broker_order_id, shown.is_readable, ours) == ("7", False, READ)
    with wire(told(200, [ORDER | change])) as end, pytest.raises(BookUnavailable):
        broker(end.url).order_book()


def test_fills_are_read_in_utc_and_those_of_others_that_cannot_be_are_left_out() -> None:
    odd = FILL | {"id": "x", "order_id": "7", "qty": "0.5"}
    with wire(told(200, [odd, FILL])) as end:
        connected = broker(end.url)
        found = connected.trade_book(None, {ID})
        with pytest.raises(BookUnavailable):
            connected.trade_book(None, {ID, "7"})
    at = datetime(2026, 11, 23, 14, 30, 1, 500_000, tzinfo=UTC)
    assert found == [BrokerTrade(FILL["id"], ID, 5, Decimal("480.055"), at)]


def test_pages_that_lead_nowhere_are_no_book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulse_core.brokers.alpaca.broker.ORDERS_OF_A_PAGE", 1)
    monkeypatch.setattr("pulse_core.brokers.alpaca.broker.FILLS_OF_A_PAGE", 1)
    with wire(told(200, [ORDER])) as end, pytest.raises(BookUnavailable):
        broker(end.url).order_book()
    with wire(told(200, [FILL])) as end, pytest.raises(BookUnavailable):
        broker(end.url).trade_book()


def test_cancelling_asks_for_the_order_by_its_id_and_may_be_refused_or_lost() -> None:
    with wire(answer(204, b"")) as end:
        broker(end.url).cancel(ID)
    assert end.requests[0].startswith(f"DELETE /v2/orders/{ID} HTTP/1.1".encode())
    with wire(told(422, {"code": 42210000, "message": "order is already filled"})) as end, pytest.raises(Refused):
        broker(end.url).cancel(ID)
    with wire(reset) as end, pytest.raises(OutcomeUnknown):
        broker(end.url).cancel(ID)


def test_newer_keys_are_sent_in_place_of_the_former() -> None:
    with wire(told(200, ORDER)) as end:
        broker(end.url).with_keys("another-key", "", "another-secret").place(PLACEMENT, soon())
    assert b"APCA-API-KEY-ID: another-key" in end.requests[0]
    assert b"APCA-API-SECRET-KEY: another-secret" in end.requests[0]


def test_it_posts_nothing_back() -> None:
    assert broker("http://127.0.0.1:1").verify_postback(b"{}", {}) is None  # type: ignore[func-returns-value]


def test_reading_stops_while_the_calls_that_are_left_are_for_writing() -> None:
    now = [100.0]
    allowance = Allowance(monotonic=lambda: now[0], clock=lambda: now[0])
    allowance.check_reading()

    allowance.note({"X-RateLimit-Remaining": str(LEFT_TO_WRITES - 1), "X-RateLimit-Reset": "130"})
    with pytest.raises(BookUnavailable) as raised:
        allowance.check_reading()
    assert raised.value.code == RATE_LIMITED

    now[0] = 130.0
    allowance.check_reading()
    # A clock that is far off stops nobody for longer than a minute, and odd headers change nothing.
    allowance.note({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999"})
    allowance.note({"X-RateLimit-Remaining": "many", "X-RateLimit-Reset": "99999"})
    with pytest.raises(BookUnavailable):
        allowance.check_reading()
    now[0] = 190.0
    allowance.check_reading()
