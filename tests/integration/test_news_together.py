"""The news of many orders are settled together, in as many statements as those of one; a bad one holds up no other."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from api_contract.vocabulary import Leftover, OrderResult, OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.brokers.port import BrokerOrder, BrokerOrderStatus
from pulse_core.clock import utcnow
from pulse_core.errors import RowsLocked
from pulse_core.events.names import EventKind
from pulse_core.owner import EveryAccount
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.replan_orders import replan_orders
from pulse_core.trading.slice import news, operations
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import orders
from pulse_core.trading.tables import OrderSlice
from tests.support import servers
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_slice, a_split_order, an_account, order, slices_of, without_pace
from tests.support.factories import sessions_waiting_for_a_lock as waiting
from tests.support.processes import wait_until
from tests.support.statements import statements


def working_orders(count: int) -> list[str]:
    """Orders of two slices that all work, in the order of their ids."""
    account, long_ago = an_account(), utcnow() - timedelta(seconds=1)
    terms: dict[str, Any] = {"num_splits": 2, "duration_minutes": 1, "leftover": Leftover.DROP}
    made = [a_split_order(long_ago, account, **terms) for _ in range(count)]
    with db.transaction() as session:
        session.execute(update(OrderSlice).values(due_at=utcnow()))
    for one in (one for order_id in made for one in slices_of(order_id)):
        execute_slice(one.id)
    return sorted(made)


def fill_all(broker: SimulatedBroker) -> None:
    for row in list(broker.book.values()):
        if row.status is BrokerOrderStatus.OPEN:
            broker.fill(row.broker_order_id)


def cost_of_news(broker: SimulatedBroker, count: int) -> int:
    working_orders(count)
    fill_all(broker)
    with statements() as made:
        assert track_slices(utcnow()) == 2 * count
    return len(made)


@contextmanager
def lock_on(order_id: str) -> Iterator[None]:
    with db.transaction() as session:
        orders.lock(session, order_id)
        yield


@pytest.fixture
def short_patience() -> Iterator[None]:
    """No statement waits for a lock as long as it may."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_DATABASE_LOCK_TIMEOUT", "0.1")
        servers.forget_settings()
        yield
    servers.forget_settings()


def statuses(order_ids: Sequence[str]) -> set[OrderStatus]:
    return {order(order_id).status for order_id in order_ids}


def test_fifty_orders_cost_as_many_statements_as_one(broker: SimulatedBroker) -> None:
    one = cost_of_news(broker, 1)

    assert cost_of_news(broker, 50) == one
    assert one < 20


def test_each_order_gets_its_own_fills_ends_and_events(broker: SimulatedBroker) -> None:
    order_ids = working_orders(3)
    for order_id, shares in zip(order_ids, (50, 20, 0), strict=True):
        for one in slices_of(order_id):
            if shares:
                broker.fill(one.broker_order_id or "", shares)
            broker.cancel(one.broker_order_id or "")

    track_slices(utcnow())
    # What they lack is given up.
    replan_orders(utcnow())

    assert [(order(one).status, order(one).filled_quantity, order(one).result) for one in order_ids] == [
        (OrderStatus.DONE, 100, OrderResult.FILLED),
        (OrderStatus.DONE, 40, OrderResult.PARTIALLY_FILLED),
        (OrderStatus.DONE, 0, OrderResult.UNFILLED),
    ]
    for order_id, told in zip(order_ids, ([20, 50], [20], []), strict=True):
        for one in slices_of(order_id)[:2]:
            history = operations.slice_history(one.id).events
            fills = [seen.detail["quantity"] for seen in history if seen.kind is EventKind.FILL]
            assert fills == told[-1:]
            assert history[-1].to_status == one.status


def test_orders_that_are_being_cancelled_are_ended_with_what_they_had_not_sent(broker: SimulatedBroker) -> None:
    order_ids = [a_split_order() for _ in range(2)]
    for order_id in order_ids:
        execute_slice(slices_of(order_id)[0].id)
        cancel_order(EveryAccount(), order_id, utcnow(), "ops")
        with db.transaction() as session:
            put_back = update(OrderSlice).where(OrderSlice.id == slices_of(order_id)[1].id)
            session.execute(put_back.values(status=SliceStatus.SCHEDULED))
        broker.cancel(slices_of(order_id)[0].broker_order_id or "")

    track_slices(utcnow())

    assert statuses(order_ids) == {OrderStatus.CANCELLED}
    assert {one.status for order_id in order_ids for one in slices_of(order_id)} == {SliceStatus.CANCELLED}


@pytest.mark.usefixtures("short_patience")
def test_an_order_that_somebody_has_locked_is_left_and_the_others_are_settled(broker: SimulatedBroker) -> None:
    first, locked, last = working_orders(3)
    fill_all(broker)

    with lock_on(locked), pytest.raises(RowsLocked):
        track_slices(utcnow())
    assert statuses([first, last]) == {OrderStatus.DONE}
    assert order(locked).status is OrderStatus.IN_PROGRESS

    track_slices(utcnow())
    assert order(locked).status is OrderStatus.DONE


def test_a_row_that_fails_holds_up_neither_another_order_nor_another_slice_of_its_own(broker: SimulatedBroker) -> None:
    good, bad = working_orders(2)
    fill_all(broker)
    poisoned = slices_of(bad)[0]
    at = next(at for at, one in enumerate(broker.trades) if one.broker_order_id == poisoned.broker_order_id)
    broker.trades[at] = replace(broker.trades[at], quantity=0)

    with pytest.raises(Exception, match="ck_fills_quantity"):
        track_slices(utcnow())

    assert order(good).status is OrderStatus.DONE
    assert [one.status for one in slices_of(bad)] == [SliceStatus.WORKING, SliceStatus.FILLED]


def test_orders_are_locked_in_the_order_of_their_ids(broker: SimulatedBroker) -> None:
    first, second = working_orders(2)
    fill_all(broker)
    reader = threading.Thread(target=track_slices, args=(utcnow(),))

    with lock_on(first):
        reader.start()
        wait_until(lambda: waiting() == 1, 30, "the reader waits for the first order")
        with db.transaction() as session:
            free = text("SELECT 1 FROM orders WHERE id = :id FOR UPDATE SKIP LOCKED")
            assert session.scalar(free, {"id": second}) == 1
    reader.join(30)

    assert statuses([first, second]) == {OrderStatus.DONE}


def test_news_are_settled_a_bounded_number_at_a_time(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "TOGETHER", 3)
    sizes: list[int] = []
    settle_slices = news.settle_slices

    def note(session: object, told: Sequence[tuple[OrderSlice, str]], *rest: object) -> None:
        sizes.append(len(told))
        settle_slices(session, told, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(news, "settle_slices", note)
    order_ids = [*working_orders(3), a_split_order(utcnow() - timedelta(seconds=1), num_splits=5, duration_minutes=1)]
    without_pace(order_ids[-1])
    with db.transaction() as session:
        session.execute(update(OrderSlice).where(OrderSlice.order_id == order_ids[-1]).values(due_at=utcnow()))
    for one in slices_of(order_ids[-1]):
        execute_slice(one.id)
    fill_all(broker)

    assert track_slices(utcnow()) == 11

    assert sum(sizes) == 11
    assert max(sizes) <= 3
    assert statuses(order_ids) == {OrderStatus.DONE}


def test_a_book_row_that_went_back_to_open_ends_nothing(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    first = slices_of(order_id)[0]
    execute_slice(first.id)
    row: BrokerOrder = broker.book[a_slice(first.id).broker_order_id or ""]
    broker.book[row.broker_order_id] = replace(row, filled_quantity=row.quantity)

    assert track_slices(utcnow()) == 0
    assert a_slice(first.id).status is SliceStatus.WORKING
