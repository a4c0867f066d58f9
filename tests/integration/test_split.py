"""An order becomes its schedule once, or is skipped with the reason."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from api_contract.errors import InvalidState
from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus
from pulse_core import db, queue
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.errors import RowsLocked
from pulse_core.owner import OneAccount
from pulse_core.trading import schedule
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.split import FORGOTTEN_AFTER, split_forgotten_orders, split_order
from pulse_core.trading.store import orders
from pulse_core.trading.tables import Order
from tests.support.factories import a_split_order, an_account, an_order, order, sessions_waiting_for_a_lock, slices_of
from tests.support.processes import wait_until

pytestmark = pytest.mark.usefixtures("clean_database")


def test_the_slices_are_those_of_the_stored_seed() -> None:
    order_id = a_split_order(total_quantity=1000, num_splits=10, randomize=True)
    parent = order(order_id)
    planned = schedule.plan(1000, 10, parent.start_at, timedelta(minutes=60), parent.seed)

    slices = slices_of(order_id)
    assert parent.status is OrderStatus.IN_PROGRESS
    assert [(one.sequence_number, one.quantity, one.scheduled_at) for one in slices] == [
        (one.sequence_number, one.quantity, one.scheduled_at) for one in planned
    ]
    assert {one.status for one in slices} == {SliceStatus.SCHEDULED}
    assert all(one.due_at == one.scheduled_at for one in slices)


def test_splitting_again_changes_nothing() -> None:
    order_id = a_split_order()
    before = [one.id for one in slices_of(order_id)]

    split_order(order_id, utcnow())

    assert [one.id for one in slices_of(order_id)] == before


def test_an_order_that_somebody_holds_locked_holds_up_no_other() -> None:
    past = utcnow() - FORGOTTEN_AFTER - timedelta(seconds=1)
    held, free = an_order(past), an_order(past)

    with db.transaction() as session:
        orders.lock(session, held)
        with pytest.raises(RowsLocked):
            split_forgotten_orders(utcnow())

    assert [order(one).status for one in (held, free)] == [OrderStatus.PENDING, OrderStatus.IN_PROGRESS]


def test_workers_splitting_at_once_split_once() -> None:
    order_id = an_order()

    with ThreadPoolExecutor(4) as workers:
        with db.transaction() as session:
            orders.lock(session, order_id)
            splits = [workers.submit(split_order, order_id, utcnow()) for _ in range(4)]
            wait_until(lambda: sessions_waiting_for_a_lock() == 4)
        for split in splits:
            split.result(timeout=10)

    assert [one.sequence_number for one in slices_of(order_id)] == [1, 2, 3, 4, 5]


def test_an_order_that_does_not_exist_is_nothing_to_split() -> None:
    split_order("ord_01ARZ3NDEKTSV4RRFFQ69G5FAV", utcnow())

    assert slices_of("ord_01ARZ3NDEKTSV4RRFFQ69G5FAV") == []


def test_a_cancelled_order_is_not_split() -> None:
    account = an_account()
    order_id = an_order(account_id=account)
    cancel_order(OneAccount(account), order_id, utcnow(), account)

    split_order(order_id, utcnow())

    assert (order(order_id).status, slices_of(order_id)) == (OrderStatus.CANCELLED, [])


def test_an_order_whose_window_closed_long_ago_is_skipped_and_says_why() -> None:
    order_id = an_order()
    long_after = order(order_id).end_at + timedelta(seconds=settings().late_grace + 1)

    split_order(order_id, long_after)

    skipped = order(order_id)
    assert (skipped.status, skipped.result, skipped.finished_at) == (
        OrderStatus.SKIPPED,
        OrderResult.UNFILLED,
        long_after,
    )
    assert "window had closed" in (skipped.skip_reason or "")
    assert slices_of(order_id) == []


def test_a_skipped_order_cannot_be_cancelled() -> None:
    account = an_account()
    order_id = an_order(account_id=account)
    split_order(order_id, order(order_id).end_at + timedelta(seconds=settings().late_grace + 1))

    with pytest.raises(InvalidState):
        cancel_order(OneAccount(account), order_id, utcnow(), account)


def test_an_order_with_fewer_shares_than_slices_is_skipped_and_does_not_hold_up_the_others() -> None:
    hopeless, other = an_order(total_quantity=100), an_order()
    with db.transaction() as session:
        session.execute(update(Order).where(Order.id == hopeless).values(total_quantity=4))

    split_forgotten_orders(utcnow() + FORGOTTEN_AFTER)

    assert (order(hopeless).status, order(hopeless).result) == (OrderStatus.SKIPPED, OrderResult.UNFILLED)
    assert "4 shares are too few" in (order(hopeless).skip_reason or "")
    assert order(other).status is OrderStatus.IN_PROGRESS


def test_an_order_whose_message_was_lost_is_split_by_the_sweep() -> None:
    order_id = an_order()

    assert split_forgotten_orders(utcnow()) == 0
    assert split_forgotten_orders(utcnow() + FORGOTTEN_AFTER) == 1
    assert order(order_id).status is OrderStatus.IN_PROGRESS
    assert split_forgotten_orders(utcnow() + FORGOTTEN_AFTER) == 0


def test_only_slices_within_the_horizon_are_handed_to_celery_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[tuple[str, datetime]] = []
    order_id = an_order(duration_minutes=1, num_splits=13)
    monkeypatch.setattr(queue, "wake", lambda _task, slice_id, *, eta, shown: woken.append((slice_id, eta)))

    split_order(order_id, order(order_id).start_at)

    # Every 5 s one, and a horizon of 10 s.
    assert woken == [(one.id, one.scheduled_at) for one in slices_of(order_id)[:3]]
    assert [one.hinted_until is not None for one in slices_of(order_id)] == [True] * 3 + [False] * 10


def test_slices_of_an_order_split_late_are_handed_over_once_too() -> None:
    order_id = an_order(duration_minutes=1)
    late = order(order_id).end_at

    split_order(order_id, late)

    assert all(one.hinted_until is not None and one.hinted_until > late for one in slices_of(order_id))
