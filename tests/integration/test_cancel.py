"""A cancelled order sends nothing more, calls back what works and keeps its fills."""

import pytest
from sqlalchemy import select

from api_contract.errors import InvalidState, NotFound
from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.events.tables import SliceEvent
from pulse_core.owner import OneAccount
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.track import track_slices
from tests.support.broker import SimulatedBroker, accept_and_fill
from tests.support.factories import a_slice, a_split_order, an_account, an_order, order, slices_of


def statuses(order_id: str) -> list[SliceStatus]:
    return [one.status for one in slices_of(order_id)]


def test_an_order_that_is_not_split_yet_is_cancelled_at_once(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id, now = an_order(account_id=account), utcnow()

    report = cancel_order(OneAccount(account), order_id, now, account)

    assert (report.status, report.result, report.finished_at) == (OrderStatus.CANCELLED, OrderResult.UNFILLED, now)
    assert report.exposure.total == 0


def test_an_order_with_nothing_sent_is_cancelled_at_once_with_all_its_slices(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id = a_split_order(account_id=account)

    report = cancel_order(OneAccount(account), order_id, utcnow(), account)

    assert (report.status, report.result) == (OrderStatus.CANCELLED, OrderResult.UNFILLED)
    assert statuses(order_id) == [SliceStatus.CANCELLED] * 5
    assert report.slices == {SliceStatus.CANCELLED: 5}


def test_a_running_order_waits_for_what_works_and_sends_nothing_more(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id = a_split_order(account_id=account)
    first, second, *_ = slices_of(order_id)
    execute_slice(first.id)

    report = cancel_order(OneAccount(account), order_id, utcnow(), account)
    execute_slice(second.id, clock=lambda: second.scheduled_at)

    assert report.status is OrderStatus.CANCELLING
    assert (report.exposure.working, report.exposure.unsent) == (20, 0)
    assert statuses(order_id) == [SliceStatus.WORKING] + [SliceStatus.CANCELLED] * 4
    assert len(broker.placements) == 1


def test_fills_before_and_during_the_cancellation_are_kept(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id = a_split_order(account_id=account)
    first, second, *_ = slices_of(order_id)
    broker.answers = [accept_and_fill]
    execute_slice(first.id)
    execute_slice(second.id, clock=lambda: second.scheduled_at)
    cancel_order(OneAccount(account), order_id, utcnow(), account)
    broker.fill(a_slice(second.id).broker_order_id or "", 5)

    cancel_slices(utcnow())
    track_slices(utcnow())

    assert statuses(order_id)[:2] == [SliceStatus.FILLED, SliceStatus.CANCELLED]
    ended = order(order_id)
    assert (ended.status, ended.result, ended.filled_quantity) == (
        OrderStatus.CANCELLED,
        OrderResult.PARTIALLY_FILLED,
        25,
    )


def test_repeating_a_cancellation_changes_nothing(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id = a_split_order(account_id=account)
    execute_slice(slices_of(order_id)[0].id)
    first = cancel_order(OneAccount(account), order_id, utcnow(), account)
    events = events_of(order_id)

    again = cancel_order(OneAccount(account), order_id, utcnow(), account)
    assert (again, events_of(order_id)) == (first, events)

    cancel_slices(utcnow())
    track_slices(utcnow())
    ended = order(order_id)
    assert cancel_order(OneAccount(account), order_id, utcnow(), account).finished_at == ended.finished_at


def test_a_finished_order_cannot_be_cancelled(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id = a_split_order(account_id=account, num_splits=2)
    broker.answers = [accept_and_fill] * 2
    end_at = order(order_id).end_at
    for one in slices_of(order_id):
        execute_slice(one.id, clock=lambda: end_at)
    track_slices(utcnow())

    with pytest.raises(InvalidState) as refusal:
        cancel_order(OneAccount(account), order_id, utcnow(), account)

    assert refusal.value.details == {"status": OrderStatus.DONE}
    assert order(order_id).status is OrderStatus.DONE


def test_an_order_of_somebody_else_does_not_exist(broker: SimulatedBroker) -> None:
    order_id = a_split_order()

    for stranger, asked in ((an_account(), order_id), (an_account(), "ord_01ARZ3NDEKTSV4RRFFQ69G5FAV")):
        with pytest.raises(NotFound):
            cancel_order(OneAccount(stranger), asked, utcnow(), stranger)

    assert order(order_id).status is OrderStatus.IN_PROGRESS


def events_of(order_id: str) -> list[int]:
    with db.transaction() as session:
        return list(session.scalars(select(SliceEvent.id).where(SliceEvent.order_id == order_id)))
