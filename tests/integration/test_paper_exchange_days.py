"""The exchange's day ends: what was open has ended, and the books show the new day alone."""

import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path

import pytest

from api_contract.vocabulary import Side
from pulse_core.boottime import boottime
from pulse_core.brokers.port import BrokerOrder, Placement, Refused
from pulse_core.brokers.zerodha.rows import INDIA
from tests.support.exchange import RunningExchange, start_exchange


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[RunningExchange]:
    with start_exchange(tmp_path) as running:
        yield running


def placement() -> Placement:
    return Placement(secrets.token_hex(10).upper(), "NSE:RELIANCE", Side.BUY, 10)


def soon() -> float:
    return boottime() + 10


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def in_book(exchange: RunningExchange, order: Placement) -> BrokerOrder | None:
    book = exchange.broker().order_book()
    return next((row for row in book if row.client_order_id == order.client_order_id), None)


def test_what_is_open_at_the_days_end_is_cancelled_and_keeps_what_it_had_filled(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "partial_fill", "fraction": 0.4})
    order = placement()
    exchange.broker().place(order, soon())

    exchange.end_day()

    with exchange.ledger() as ledger:
        (ended,) = ledger.orders(order.client_order_id)
    assert (ended.status, ended.filled_quantity, ended.cancelled_quantity) == ("CANCELLED", 4, 6)
    assert ended.ended_at is not None
    assert ended.ended_at >= ended.placed_at


def test_the_books_of_a_new_day_show_its_orders_alone_and_no_old_one_can_be_cancelled(
    exchange: RunningExchange,
) -> None:
    broker, old, new = exchange.broker(), placement(), placement()
    old_id = broker.place(old, soon())

    exchange.end_day()
    new_id = broker.place(new, soon())

    assert [row.broker_order_id for row in broker.order_book()] == [new_id]
    assert {row.broker_order_id for row in broker.trade_book()} == {new_id}
    with pytest.raises(Refused):
        broker.cancel(old_id)


def test_planned_fills_of_the_old_day_never_come(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "open_pending", "seconds": 0.3, "count": 1})
    old, new = placement(), placement()
    exchange.broker().place(old, soon())
    exchange.end_day()

    exchange.set_faults(fill_delay=0.6)
    exchange.broker().place(new, soon())
    with exchange.ledger() as ledger:
        wait_for(lambda: ledger.orders(new.client_order_id)[0].status == "COMPLETE")
        assert ledger.orders(old.client_order_id)[0].filled_quantity == 0


def test_an_ended_day_stays_ended_over_a_restart_and_ids_do_not_come_again(exchange: RunningExchange) -> None:
    broker = exchange.broker()
    ids = [broker.place(placement(), soon())]
    days = [exchange.end_day()]
    exchange.restart()
    ids.append(broker.place(placement(), soon()))
    assert [row.broker_order_id for row in broker.order_book()] == ids[1:]
    days.append(exchange.end_day())
    ids.append(broker.place(placement(), soon()))

    assert len(set(ids)) == 3
    assert date.fromisoformat(days[1]) - date.fromisoformat(days[0]) == timedelta(days=1)
    with exchange.ledger() as ledger:
        assert [order.day for order in ledger.orders()][1:] == days


def test_a_day_begins_at_the_hour_that_exchange_and_adapter_were_told(tmp_path: Path) -> None:
    starts = (datetime.now(INDIA) + timedelta(seconds=6)).replace(microsecond=0).time()
    with start_exchange(tmp_path, day_starts=starts) as exchange:
        broker = exchange.broker(day_starts=starts)
        exchange.set_faults({"fault": "open_pending", "seconds": 600, "count": 1})
        old, before = placement(), datetime.now(UTC)
        broker.place(old, soon())
        assert in_book(exchange, old) is not None
        first_day = broker.limits.day(before)

        wait_for(lambda: in_book(exchange, old) is None)

        assert broker.limits.day(datetime.now(UTC)) == first_day + timedelta(days=1)
        assert before < broker.covers_since(datetime.now(UTC)) < datetime.now(UTC)
        with exchange.ledger() as ledger:
            wait_for(lambda: ledger.orders(old.client_order_id)[0].status == "CANCELLED")
            assert ledger.orders(old.client_order_id)[0].day == first_day.isoformat()


def test_a_day_of_midnight_is_indias_date(exchange: RunningExchange) -> None:
    before_midnight = datetime(2026, 11, 23, 18, 29, 59, tzinfo=UTC)
    assert exchange.broker().limits.day(before_midnight) == date(2026, 11, 23)
    assert exchange.broker().limits.day(before_midnight + timedelta(seconds=1)) == date(2026, 11, 24)
    assert exchange.broker().covers_since(before_midnight) == before_midnight.replace(day=22, minute=30, second=0)
    assert exchange.broker(day_starts=time_of_day(0, 0, 1)).limits.day(before_midnight + timedelta(seconds=1)) == date(
        2026, 11, 23
    )
