"""The broker's books, read from the wire."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pulse_core.brokers.port import BookUnavailable, BrokerOrder, BrokerOrderStatus, BrokerTrade
from pulse_core.brokers.zerodha.broker import ZerodhaBroker
from pulse_core.brokers.zerodha.postback import postback_checksum
from pulse_core.brokers.zerodha.rows import FEW, KEPT, BookRows, OrderRow
from tests.unit.wire import Act, answer, reset, wire

ORDER = {
    "order_id": "151220000000000",
    "tag": "ABCDEFGHIJ0123456789",
    "status": "COMPLETE",
    "status_message": None,
    "quantity": 12,
    "filled_quantity": 12,
    "average_price": 1567.35,
    "order_timestamp": "2026-11-23 09:15:01",
}
TRADE = {
    "trade_id": "10000000",
    "order_id": "151220000000000",
    "quantity": 12,
    "average_price": 1567.35,
    "fill_timestamp": "2026-11-23 09:15:01",
}


def book(*rows: Any) -> Act:
    return answer(200, json.dumps({"status": "success", "data": rows}).encode())


def order_book(act: Act) -> list[BrokerOrder]:
    with wire(act) as end:
        return list(ZerodhaBroker(name="zerodha", root=end.url, api_key="k", access_token="t").order_book())


def trade_book(act: Act) -> list[BrokerTrade]:
    with wire(act) as end:
        return list(ZerodhaBroker(name="zerodha", root=end.url, api_key="k", access_token="t").trade_book())


def test_an_order_is_read_with_its_exact_price() -> None:
    assert order_book(book(ORDER)) == [
        BrokerOrder(
            broker_order_id="151220000000000",
            client_order_id="ABCDEFGHIJ0123456789",
            status=BrokerOrderStatus.COMPLETE,
            quantity=12,
            filled_quantity=12,
            average_price=Decimal("1567.35"),
            message=None,
        )
    ]


def test_an_order_of_someone_else_has_no_client_order_id_and_an_unfilled_one_no_price() -> None:
    (order,) = order_book(book(ORDER | {"tag": None, "filled_quantity": 0, "average_price": 0}))
    assert order.client_order_id is None
    assert order.average_price is None


@pytest.mark.parametrize(
    "status", ["OPEN", "OPEN PENDING", "CANCEL PENDING", "PUT ORDER REQ RECEIVED", "NEWLY INVENTED"]
)
def test_every_interim_status_is_open(status: str) -> None:
    assert order_book(book(ORDER | {"status": status}))[0].status is BrokerOrderStatus.OPEN


@pytest.mark.parametrize("status", ["COMPLETE", "CANCELLED", "REJECTED"])
def test_a_final_status_is_itself(status: str) -> None:
    assert order_book(book(ORDER | {"status": status}))[0].status.value == status


def test_words_that_no_database_holds_keep_no_end_from_being_read() -> None:
    (row,) = order_book(book({**ORDER, "status": "REJECTED", "status_message": "no\x00margin \ud800"}))

    assert (row.status, row.message) == (BrokerOrderStatus.REJECTED, "no?margin ?")


def test_a_fill_is_read_with_its_instant_in_utc() -> None:
    assert trade_book(book(TRADE)) == [
        BrokerTrade("10000000", "151220000000000", 12, Decimal("1567.35"), datetime(2026, 11, 23, 3, 45, 1, tzinfo=UTC))
    ]


def test_an_empty_book_is_a_book() -> None:
    assert order_book(book()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"order_id": None},
        {"order_id": 15},
        {"status": None},
        {"tag": 7},
        {"quantity": "12"},
        {"quantity": 12.5},
        {"quantity": True},
        {"quantity": 12.0},
        {"filled_quantity": 12.0},
        {"average_price": True},
        {"filled_quantity": -1},
        {"average_price": "1567.35"},
        {"average_price": float("nan")},
    ],
)
def test_one_order_in_doubt_makes_the_whole_book_unavailable(change: dict[str, Any]) -> None:
    with pytest.raises(BookUnavailable):
        order_book(book(ORDER, ORDER | change))


@pytest.mark.parametrize("tag", [None, "", "somebody", "abcdefghij0123456789"])
def test_an_order_of_somebody_else_that_cannot_be_read_is_there_and_stops_nothing(tag: str | None) -> None:
    others = ORDER | {"order_id": "7", "tag": tag, "quantity": "a lot"}

    shown, ours = order_book(book(others, ORDER))

    assert (shown.broker_order_id, shown.is_readable, shown.status) == ("7", False, BrokerOrderStatus.OPEN)
    assert (shown.client_order_id, shown.filled_quantity) == (None, 0)
    assert (ours.broker_order_id, ours.is_readable) == (ORDER["order_id"], True)


def test_an_order_of_somebody_else_without_an_id_is_left_out() -> None:
    assert [one.is_readable for one in order_book(book(ORDER | {"tag": None, "order_id": 5}, ORDER))] == [True]


def test_a_fill_that_cannot_be_read_is_left_out_if_it_names_an_order_of_somebody_else() -> None:
    odd = TRADE | {"quantity": "a few"}
    with wire(book(odd, TRADE | {"order_id": "7"})) as end:
        broker = ZerodhaBroker(name="zerodha", root=end.url, api_key="k", access_token="t")
        assert [one.broker_order_id for one in broker.trade_book(None, {"7"})] == ["7"]
        for ours in (None, {TRADE["order_id"]}):
            with pytest.raises(BookUnavailable):
                broker.trade_book(None, ours)
    with wire(book(TRADE | {"order_id": 5})) as end, pytest.raises(BookUnavailable):
        ZerodhaBroker(name="zerodha", root=end.url, api_key="k", access_token="t").trade_book(None, {"7"})


def test_a_row_is_what_its_values_are_also_when_a_look_alike_was_read_before() -> None:
    order_book(book(ORDER | {"quantity": 1, "filled_quantity": 1, "average_price": 1}))

    for twin in ({"quantity": True}, {"filled_quantity": 1.0}, {"average_price": True}):
        with pytest.raises(BookUnavailable):
            order_book(book(ORDER | {"quantity": 1, "filled_quantity": 1, "average_price": 1} | twin))


@pytest.mark.parametrize("missing", ["order_id", "tag", "status", "quantity", "filled_quantity", "average_price"])
def test_an_order_without_a_field_makes_the_whole_book_unavailable(missing: str) -> None:
    with pytest.raises(BookUnavailable):
        order_book(book({name: value for name, value in ORDER.items() if name != missing}))


@pytest.mark.parametrize("instant", [None, "", "09:15:01", "2026-11-23T09:15:01Z", 1])
def test_a_fill_without_a_sound_instant_makes_the_whole_book_unavailable(instant: object) -> None:
    with pytest.raises(BookUnavailable):
        trade_book(book(TRADE | {"fill_timestamp": instant}))


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(reset, id="reset"),
        pytest.param(answer(200, b"<html>", "text/html"), id="HTML"),
        pytest.param(answer(200, b'{"status": "success", "data": null}'), id="no data"),
        pytest.param(answer(200, b'{"status": "success", "data": {}}'), id="not a list"),
        pytest.param(answer(200, b'{"status": "success", "data": [1]}'), id="not rows"),
        pytest.param(answer(200, b'{"status": "success", "data": []}', length=100), id="cut short"),
        pytest.param(answer(500, b'{"status": "success", "data": []}'), id="a book under 500"),
        pytest.param(answer(403, b'{"status": "error", "error_type": "TokenException", "message": "no"}'), id="403"),
        pytest.param(answer(429, b'{"status": "error", "error_type": "NetworkException", "message": "no"}'), id="429"),
    ],
)
def test_a_book_that_cannot_be_read_proves_nothing(act: Act) -> None:
    with pytest.raises(BookUnavailable):
        order_book(act)


def look_up(act: Act) -> BrokerOrder:
    with wire(act) as end:
        return ZerodhaBroker(name="zerodha", root=end.url, api_key="k", access_token="t").order(ORDER["order_id"])


def look_up_trades(act: Act) -> list[BrokerTrade]:
    with wire(act) as end:
        broker = ZerodhaBroker(name="zerodha", root=end.url, api_key="k", access_token="t")
        return list(broker.order_trades(ORDER["order_id"]))


def test_an_order_by_itself_is_as_its_last_change_left_it() -> None:
    change = {"status": "OPEN PENDING", "filled_quantity": 0, "average_price": 0}
    (in_book,) = order_book(book(ORDER))

    assert look_up(book(ORDER | change, ORDER | change | {"status": "OPEN"}, ORDER)) == in_book
    assert look_up_trades(book(TRADE)) == trade_book(book(TRADE))
    assert look_up_trades(book()) == []


@pytest.mark.parametrize("ask", [look_up, look_up_trades])
@pytest.mark.parametrize(
    "act",
    [
        pytest.param(answer(404, b'{"status": "error", "error_type": "OrderException", "message": "no"}'), id="404"),
        pytest.param(answer(200, b'{"status": "success", "data": null}'), id="no data"),
        pytest.param(book(ORDER | TRADE | {"order_id": "151220000000001"}), id="another order"),
        pytest.param(book(ORDER | TRADE | {"quantity": None}), id="in doubt"),
        pytest.param(reset, id="reset"),
    ],
)
def test_an_order_that_is_not_shown_by_itself_is_not_known_to_be_absent(ask: Callable[[Act], object], act: Act) -> None:
    with pytest.raises(BookUnavailable):
        ask(act)


def test_an_order_without_a_history_is_not_known_to_be_absent() -> None:
    with pytest.raises(BookUnavailable):
        look_up(book())


def test_a_postback_is_signed_over_id_timestamp_and_secret() -> None:
    # printf '%s' '1512200000000002026-11-23 09:15:01secret' | sha256sum
    checksum = postback_checksum("151220000000000", "2026-11-23 09:15:01", "secret")
    assert checksum == "25094a57fabc11dbdac2132859d95dd8757c26d7f9387b4f56aa5936535855ae"


def test_a_row_that_has_not_changed_is_what_was_made_of_it_before_however_long_other_books_are() -> None:
    mine, others = BookRows(), BookRows()
    (first,) = mine.orders([OrderRow(**order_fields(0))])
    others.orders([OrderRow(**order_fields(number)) for number in range(30_000)])

    assert mine.orders([OrderRow(**order_fields(0))])[0] is first


def test_what_rows_were_is_forgotten_when_they_have_changed_often_enough() -> None:
    rows = BookRows()
    (first,) = rows.orders([OrderRow(**order_fields(0))])
    for number in range(1, FEW + KEPT + 2):
        rows.orders([OrderRow(**order_fields(number))])

    assert rows.orders([OrderRow(**order_fields(0))])[0] is not first


def order_fields(number: int) -> dict[str, Any]:
    return {name: value for name, value in ORDER.items() if name != "order_timestamp"} | {"order_id": str(number)}


@pytest.mark.parametrize("passed_over", ["no\ud800 text", float("nan"), [{}], None])
def test_what_is_not_needed_of_a_row_is_passed_over_whatever_it_is(passed_over: Any) -> None:
    assert order_book(book(ORDER | {"meta": passed_over})) == order_book(book(ORDER))


@pytest.mark.parametrize("rows", [[7], ["row"], [None], [[]], {"order_id": "1"}, "rows", None])
def test_an_answer_that_is_no_list_of_rows_makes_the_book_unavailable(rows: Any) -> None:
    for read in (order_book, trade_book):
        with pytest.raises(BookUnavailable):
            read(answer(200, json.dumps({"status": "success", "data": rows}).encode()))
