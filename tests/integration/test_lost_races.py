"""Two connections on one slice or one order: whoever comes second sees it, and leaves everything as it is."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from api_contract.errors import InvalidState
from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.brokers.port import Placement, Refused
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.errors import LostRace
from pulse_core.events.names import EventKind
from pulse_core.owner import EveryAccount, OneAccount
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.operations import retry_slice, slice_history
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import events, fills, orders, slices
from pulse_core.trading.tables import Order, OrderSlice
from tests.support.broker import SimulatedBroker, answer_with, lose_the_request
from tests.support.factories import (
    a_slice,
    a_split_order,
    an_account,
    later,
    order,
    settle_delay,
    slices_of,
    watch_the_book,
)


def at_once(*calls: Callable[[], object]) -> None:
    """Run the calls in threads that start together."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        start.wait()
        call()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def test_a_slice_cancelled_while_it_was_being_claimed_stays_cancelled(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]

    with db.transaction() as session:
        seen = slices.get(session, first.id)
        assert seen is not None
        with db.transaction() as other:
            slices.move(other, a_slice(first.id), SliceStatus.CANCELLED, utcnow())
        with pytest.raises(LostRace, match=f"{first.id} is no longer SCHEDULED"):
            slices.move(session, seen, SliceStatus.SENDING, utcnow(), lease_expires_at=later(30))

    assert a_slice(first.id).status is SliceStatus.CANCELLED


def test_an_order_cancelled_while_it_was_being_finished_stays_cancelled(broker: SimulatedBroker) -> None:
    order_id = a_split_order()

    with db.transaction() as session:
        seen = session.get_one(Order, order_id)
        with db.transaction() as other:
            orders.move(other, order(order_id), OrderStatus.CANCELLING, utcnow())
        with pytest.raises(LostRace, match=f"{order_id} is no longer IN_PROGRESS"):
            orders.move(session, seen, OrderStatus.DONE, utcnow(), finished_at=utcnow())

    assert order(order_id).status is OrderStatus.CANCELLING


def test_a_lost_race_that_nobody_expects_takes_everything_of_its_transaction_back(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    told = len(slice_history(first.id).events)

    def move_on() -> None:
        with db.transaction() as session:
            seen = session.get_one(OrderSlice, first.id)
            slices.change(session, first.id, utcnow(), resolve_at=utcnow())
            events.add(session, EventKind.REQUEST, first.order_id, first.id, utcnow(), request="resolve")
            seen.status = SliceStatus.SENDING
            slices.move(session, seen, SliceStatus.UNKNOWN, utcnow(), resolve_at=utcnow())

    with pytest.raises(LostRace):
        move_on()

    assert (a_slice(first.id).status, a_slice(first.id).resolve_at) == (SliceStatus.SCHEDULED, None)
    assert len(slice_history(first.id).events) == told


def test_a_slice_sent_while_its_order_is_cancelled_is_followed_and_the_others_are_cancelled(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = a_split_order()
    first, *rest = [one.id for one in slices_of(order_id)]
    send_after_listing(monkeypatch, first)

    cancel_order(EveryAccount(), order_id, utcnow(), "ops")

    assert (a_slice(first).status, order(order_id).status) == (SliceStatus.WORKING, OrderStatus.CANCELLING)
    assert {a_slice(slice_id).status for slice_id in rest} == {SliceStatus.CANCELLED}
    cancel_slices(utcnow())
    track_slices(utcnow())
    assert (a_slice(first).status, order(order_id).status) == (SliceStatus.CANCELLED, OrderStatus.CANCELLED)


def send_after_listing(monkeypatch: pytest.MonkeyPatch, slice_id: str) -> None:
    """Place the slice over another connection when the unsent ones were listed, and none of them moved."""
    listed = slices.unsent

    def list_and_send(session: Session, order_id: str) -> Sequence[OrderSlice]:
        found = listed(session, order_id)
        monkeypatch.setattr(slices, "unsent", listed)
        execute_slice(slice_id)
        return found

    monkeypatch.setattr(slices, "unsent", list_and_send)


def test_a_request_must_leave_before_its_lease_can_be_over(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    started = time.monotonic()
    latest: list[float] = []

    def note(placement: Placement, not_after: float) -> str:
        latest.append(not_after)
        return broker.enter(placement)

    broker.place = note  # type: ignore[method-assign]
    execute_slice(first.id)

    longest = settings().lease - settings().broker_timeout
    assert started < latest[0] <= time.monotonic() + longest


def test_a_worker_stopped_while_it_reads_the_clock_gains_nothing_on_its_lease(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    read_at: list[float] = []
    latest: list[float] = []

    def read_the_clock() -> datetime:
        read_at.append(time.monotonic())
        return utcnow()

    def note(placement: Placement, not_after: float) -> str:
        latest.append(not_after)
        return broker.enter(placement)

    broker.place = note  # type: ignore[method-assign]
    execute_slice(first.id, clock=read_the_clock)

    assert latest[0] <= read_at[0] + settings().lease - settings().broker_timeout


def test_placing_and_cancelling_at_once_leaves_nothing_live_that_nobody_follows(broker: SimulatedBroker) -> None:
    account = an_account()
    order_ids = [a_split_order(account_id=account, num_splits=2) for _ in range(12)]

    for order_id in order_ids:
        first = slices_of(order_id)[0].id
        at_once(
            lambda one=first: execute_slice(one),
            lambda one=order_id: cancel_order(OneAccount(account), one, utcnow(), account),
        )
    cancel_slices(utcnow(), limit=100)
    track_slices(utcnow())

    assert {order(order_id).status for order_id in order_ids} == {OrderStatus.CANCELLED}
    assert [row for row in broker.book.values() if row.status == "OPEN"] == []


def test_eight_readers_of_the_book_book_each_fill_once(broker: SimulatedBroker) -> None:
    order_id = a_split_order(num_splits=2)
    first = slices_of(order_id)[0]
    execute_slice(first.id)
    (broker_order_id,) = broker.book
    for quantity in (10, 25, 15):
        broker.fill(broker_order_id, quantity)

    at_once(*[lambda: track_slices(utcnow()), lambda: reconcile(utcnow())] * 4)

    with db.transaction() as session:
        assert fills.totals(session, [first.id])[first.id].filled == 50
    assert (a_slice(first.id).filled_quantity, order(order_id).filled_quantity) == (50, 50)


def test_eight_resolvers_of_an_absent_slice_put_it_back_once(broker: SimulatedBroker) -> None:
    broker.answers = [lose_the_request]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    settled = utcnow() + settle_delay()
    watch_the_book(utcnow(), settled - timedelta(seconds=2))

    at_once(*[lambda: resolve_slices(settled)] * 8)
    execute_slice(first.id, clock=lambda: settled + timedelta(seconds=5))

    assert (a_slice(first.id).status, a_slice(first.id).attempts) == (SliceStatus.WORKING, 2)
    assert len(broker.book) == 1


def test_retrying_and_cancelling_at_once_never_leaves_a_slice_scheduled(broker: SimulatedBroker) -> None:
    account = an_account()
    for _ in range(8):
        broker.answers = [answer_with(Refused("MarginException", "not enough funds"))]
        order_id = a_split_order(account_id=account, num_splits=2)
        first = slices_of(order_id)[0].id
        execute_slice(first)

        at_once(
            lambda one=first: try_again(one),
            lambda one=order_id: cancel_order(OneAccount(account), one, utcnow(), account),
        )

        assert order(order_id).status is OrderStatus.CANCELLED
        assert {one.status for one in slices_of(order_id)} <= {SliceStatus.CANCELLED, SliceStatus.REJECTED}


def try_again(slice_id: str) -> None:
    try:
        retry_slice(slice_id, "ops", utcnow())
    except InvalidState:
        return
