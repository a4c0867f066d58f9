"""One slice, many workers: the fence, the last look before the wire, and what a lost connection leaves behind."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.brokers.port import NotSent
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.errors import DatabaseUnavailable
from pulse_core.owner import OneAccount
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.leases import expire_claims
from pulse_core.trading.store import orders, slices
from pulse_core.trading.tables import Order, OrderSlice
from tests.support.broker import SimulatedBroker
from tests.support.factories import (
    a_slice,
    a_split_order,
    an_account,
    later,
    order,
    sessions_waiting_for_a_lock,
    settle_delay,
    slices_of,
    watch_the_book,
)
from tests.support.processes import wait_until

FENCE_HOLDERS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"


def cut_fenced_connections() -> None:
    with db.transaction() as session:
        cut = session.scalars(text(f"SELECT pg_terminate_backend(pid) FROM ({FENCE_HOLDERS}) AS holders")).all()
    assert cut == [True]


def before_sending(broker: SimulatedBroker, do: Callable[[], object]) -> None:
    """Have something happen when a slice is claimed and not sent yet."""
    broker.wait_for_turn = lambda _seconds: do() and None  # type: ignore[method-assign]


def test_eight_workers_on_one_slice_place_it_once(broker: SimulatedBroker) -> None:
    first, start = slices_of(a_split_order())[0], threading.Barrier(8)

    def execute(_worker: int) -> None:
        start.wait()
        execute_slice(first.id)

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(execute, range(8)))

    assert len(broker.placements) == 1
    assert (a_slice(first.id).status, a_slice(first.id).attempts) == (SliceStatus.WORKING, 1)


def test_eight_workers_with_eight_slices_place_each_once(broker: SimulatedBroker) -> None:
    firsts = [slices_of(a_split_order())[0].id for _ in range(8)]

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(execute_slice, firsts * 3))

    assert len({one.client_order_id for one in broker.placements}) == len(broker.placements) == 8


def test_a_slice_fenced_by_another_worker_is_left_alone(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]

    with db.fence(first.id):
        execute_slice(first.id)

    assert (broker.placements, a_slice(first.id).status) == ([], SliceStatus.SCHEDULED)


def test_a_fence_is_held_by_one_and_free_after_its_block(broker: SimulatedBroker) -> None:
    with db.fence("sl_1") as held, db.fence("sl_1") as second, db.fence("sl_2") as another_slice:
        assert [held is None, second is None, another_slice is None] == [False, True, False]

    with db.fence("sl_1") as again:
        assert again is not None


def test_a_cut_fence_never_works_over_a_new_connection_and_is_free_for_others(broker: SimulatedBroker) -> None:
    with db.fence("sl_1") as fence:
        assert fence is not None
        cut_fenced_connections()
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable), fence.transaction() as session:
                session.execute(text("SELECT 1"))
        with db.fence("sl_1") as taken_over:
            assert taken_over is not None


def test_a_worker_whose_connection_is_cut_after_the_claim_sends_nothing_and_the_slice_is_sent_once_later(
    broker: SimulatedBroker,
) -> None:
    first = slices_of(a_split_order())[0]
    before_sending(broker, cut_fenced_connections)

    with pytest.raises(DatabaseUnavailable):
        execute_slice(first.id)
    assert (broker.placements, a_slice(first.id).status) == ([], SliceStatus.SENDING)

    before_sending(broker, lambda: None)
    lease_over = later(settings().lease)
    assert expire_claims(lease_over - timedelta(seconds=5)) == 0
    assert expire_claims(lease_over) == 1
    assert a_slice(first.id).status is SliceStatus.UNKNOWN
    settled = lease_over + settle_delay()
    watch_the_book(lease_over, settled)
    again_at = a_slice(first.id).due_at
    assert (a_slice(first.id).status, again_at > settled) == (SliceStatus.SCHEDULED, True)

    execute_slice(first.id, clock=lambda: again_at)
    execute_slice(first.id, clock=lambda: again_at)

    assert len(broker.placements) == 1
    assert (a_slice(first.id).status, a_slice(first.id).attempts) == (SliceStatus.WORKING, 2)


def test_a_stopped_worker_keeps_its_slice_however_long_its_lease_is_over(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    much_later = later(settings().lease * 10)
    seen: list[SliceStatus] = []

    def sweep() -> None:
        expire_claims(much_later)
        seen.append(a_slice(first.id).status)

    before_sending(broker, sweep)

    execute_slice(first.id)

    assert seen == [SliceStatus.SENDING]
    assert a_slice(first.id).status is SliceStatus.WORKING


def test_an_order_cancelled_after_the_claim_is_not_sent(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id = a_split_order(account_id=account)
    first = slices_of(order_id)[0]
    before_sending(broker, lambda: cancel_order(OneAccount(account), order_id, utcnow(), account))

    execute_slice(first.id)

    assert broker.placements == []
    assert {one.status for one in slices_of(order_id)} == {SliceStatus.CANCELLED}
    assert order(order_id).status is OrderStatus.CANCELLED


def test_an_order_paused_after_the_claim_is_not_sent_and_its_slice_stays_scheduled(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    first = slices_of(order_id)[0]
    before_sending(broker, lambda: pause(order_id))

    execute_slice(first.id)

    assert (broker.placements, a_slice(first.id).status) == ([], SliceStatus.SCHEDULED)


def test_a_slice_that_could_exceed_the_orders_quantity_is_not_sent(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    first, second, *_ = slices_of(order_id)
    with db.transaction() as session:
        slices.change(session, second.id, utcnow(), filled_quantity=second.quantity + 1)

    execute_slice(first.id)

    kept = a_slice(first.id)
    assert (broker.placements, kept.status, kept.error_code) == ([], SliceStatus.SCHEDULED, "OVER_QUANTITY")


def test_a_claim_taken_over_meanwhile_is_neither_sent_nor_recorded(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]

    def claim_again() -> None:
        with db.transaction() as session:
            session.execute(update(OrderSlice).where(OrderSlice.id == first.id).values(client_order_id="A" * 20))

    before_sending(broker, claim_again)
    execute_slice(first.id)

    taken_over = a_slice(first.id)
    assert (broker.placements, taken_over.status, taken_over.client_order_id) == ([], SliceStatus.SENDING, "A" * 20)


def test_waiting_for_our_own_rate_limit_never_uses_up_a_slices_attempts(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    before_sending(broker, no_room)

    for _ in range(settings().placement_attempts + 1):
        due_at = a_slice(first.id).due_at
        execute_slice(first.id, clock=lambda due_at=due_at: due_at)

    assert (broker.placements, a_slice(first.id).status) == ([], SliceStatus.SCHEDULED)


def test_a_slice_cancelled_while_its_closed_window_was_noticed_stays_cancelled(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id = a_split_order(account_id=account)
    first = slices_of(order_id)[0]
    long_after = order(order_id).end_at + timedelta(seconds=settings().late_grace + 1)

    with ThreadPoolExecutor(1) as worker:
        with db.transaction() as session:
            cancelled = orders.of_owner(session, OneAccount(account), order_id, locked=True)
            assert cancelled is not None
            execution = worker.submit(execute_slice, first.id, lambda: long_after)
            wait_until(is_a_session_waiting_for_a_lock)
            orders.move(session, cancelled, OrderStatus.CANCELLING, utcnow())
            roll_up(session, cancelled, utcnow())
        execution.result(timeout=10)

    assert a_slice(first.id).status is SliceStatus.CANCELLED


def test_a_claim_that_loses_the_race_against_a_cancellation_sends_nothing(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id = a_split_order(account_id=account)
    first = slices_of(order_id)[0]

    with ThreadPoolExecutor(1) as worker:
        with db.transaction() as session:
            cancelled = orders.of_owner(session, OneAccount(account), order_id, locked=True)
            assert cancelled is not None
            orders.move(session, cancelled, OrderStatus.CANCELLING, utcnow())
            roll_up(session, cancelled, utcnow())
            execution = worker.submit(execute_slice, first.id)
            wait_until(is_a_session_waiting_for_a_lock)
        execution.result(timeout=10)

    assert (broker.placements, a_slice(first.id).status) == ([], SliceStatus.CANCELLED)


def no_room() -> None:
    raise NotSent("OWN_RATE_LIMIT", "no room under 10 orders a second")


def pause(order_id: str) -> None:
    with db.transaction() as session:
        session.execute(update(Order).where(Order.id == order_id).values(status=OrderStatus.PAUSED))


def is_a_session_waiting_for_a_lock() -> bool:
    return sessions_waiting_for_a_lock() == 1


def test_a_connection_that_committed_by_itself_gives_transactions_again(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    for _ in range(settings().database_pool_size):
        with pytest.raises(DBAPIError), db.statement() as connection:
            connection.execute(text("SELECT 1 / 0"))

    with suppress(KeyError), db.transaction() as session:
        session.execute(text("UPDATE orders SET client_note = 'kept'"))
        raise KeyError

    assert order(order_id).client_note is None
