"""A failed slice is tried again when an operator says so, and only when that cannot send anything twice."""

import threading
from datetime import timedelta

import pytest

from api_contract.errors import InvalidState, NotFound
from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core.brokers.port import NotSent, Refused
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.events.names import EventKind
from pulse_core.owner import OneAccount
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.slice import operations
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.track import track_slices
from tests.support.broker import (
    SimulatedBroker,
    accept_and_fill,
    accept_but_lose_the_answer,
    answer_with,
    lose_the_request,
)
from tests.support.factories import a_slice, a_split_order, order, settle_delay, slices_of, watch_the_book

REFUSED = answer_with(Refused("MarginException", "not enough funds"))


def a_rejected_slice(broker: SimulatedBroker) -> str:
    broker.answers.append(REFUSED)
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    return first.id


def test_a_retried_slice_is_placed_again_under_a_new_client_order_id(broker: SimulatedBroker) -> None:
    slice_id = a_rejected_slice(broker)

    operations.retry_slice(slice_id, "ops", utcnow())
    execute_slice(slice_id)

    assert a_slice(slice_id).status is SliceStatus.WORKING
    assert len({one.client_order_id for one in broker.placements}) == 2


def test_retrying_twice_sends_once(broker: SimulatedBroker) -> None:
    slice_id = a_rejected_slice(broker)

    operations.retry_slice(slice_id, "ops", utcnow())
    with pytest.raises(InvalidState, match="SCHEDULED"):
        operations.retry_slice(slice_id, "ops", utcnow())
    execute_slice(slice_id)
    execute_slice(slice_id)

    assert len(broker.placements) == 2


def test_of_many_operators_who_retry_at_once_one_succeeds(broker: SimulatedBroker) -> None:
    slice_id = a_rejected_slice(broker)
    won: list[str] = []

    def try_it(name: str) -> None:
        try:
            operations.retry_slice(slice_id, name, utcnow())
        except InvalidState:
            return
        won.append(name)

    operators = [threading.Thread(target=try_it, args=(f"ops{number}",)) for number in range(6)]
    for one in operators:
        one.start()
    for one in operators:
        one.join()

    requests = [event for event in operations.slice_history(slice_id).events if event.kind is EventKind.REQUEST]
    assert [event.detail["actor"] for event in requests] == won
    assert len(won) == 1


def test_an_unknown_slice_is_refused_because_it_may_be_live(broker: SimulatedBroker) -> None:
    broker.answers = [lose_the_request]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)

    with pytest.raises(InvalidState, match="may be live"):
        operations.retry_slice(first.id, "ops", utcnow())


@pytest.mark.parametrize("answer", [accept_and_fill, lambda broker, placement: broker.enter(placement)])
def test_a_live_or_filled_slice_is_refused(broker: SimulatedBroker, answer: object) -> None:
    broker.answers = [answer]  # type: ignore[list-item]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    track_slices(utcnow())

    with pytest.raises(InvalidState, match=f"it is {a_slice(first.id).status}"):
        operations.retry_slice(first.id, "ops", utcnow())


def test_a_slice_of_a_cancelled_order_is_refused(broker: SimulatedBroker) -> None:
    slice_id = a_rejected_slice(broker)
    parent = order(a_slice(slice_id).order_id)
    cancel_order(OneAccount(parent.account_id), parent.id, utcnow(), parent.account_id)

    with pytest.raises(InvalidState, match="its order is CANCELLED"):
        operations.retry_slice(slice_id, "ops", utcnow())


def test_a_slice_is_refused_once_its_window_is_over(broker: SimulatedBroker) -> None:
    slice_id = a_rejected_slice(broker)
    over = order(a_slice(slice_id).order_id).end_at + timedelta(seconds=settings().late_grace + 1)

    with pytest.raises(InvalidState, match="window closed"):
        operations.retry_slice(slice_id, "ops", over)


def test_a_retry_reopens_a_done_order_and_it_is_done_again_when_filled(broker: SimulatedBroker) -> None:
    broker.answers = [accept_and_fill, REFUSED, accept_and_fill]
    order_id = a_split_order(num_splits=2, duration_minutes=1)
    end_at = order(order_id).end_at
    for one in slices_of(order_id):
        execute_slice(one.id, clock=lambda: end_at)
    track_slices(end_at)
    assert order(order_id).status is OrderStatus.DONE

    rejected = slices_of(order_id)[1].id
    operations.retry_slice(rejected, "ops", end_at)
    assert order(order_id).status is OrderStatus.IN_PROGRESS
    execute_slice(rejected, clock=lambda: end_at)
    track_slices(end_at)

    again = order(order_id)
    assert (again.status, again.filled_quantity) == (OrderStatus.DONE, again.total_quantity)


def test_a_rejected_slice_with_fills_is_retried_for_what_is_left(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    broker_order_id = a_slice(first.id).broker_order_id or ""
    broker.fill(broker_order_id, 7)
    broker.reject(broker_order_id)
    track_slices(utcnow())

    operations.retry_slice(first.id, "ops", utcnow())
    execute_slice(first.id)

    assert [one.quantity for one in broker.placements] == [20, 13]


def test_a_retry_gives_the_full_number_of_attempts_again(broker: SimulatedBroker) -> None:
    attempts = settings().placement_attempts
    broker.answers = [answer_with(NotSent("CONNECTION_REFUSED", "nobody listens"))] * 2 * attempts
    first = slices_of(a_split_order())[0]

    def exhaust() -> None:
        while a_slice(first.id).status is SliceStatus.SCHEDULED:
            due_at = a_slice(first.id).due_at
            execute_slice(first.id, clock=lambda due_at=due_at: due_at)

    exhaust()
    operations.retry_slice(first.id, "ops", utcnow())
    exhaust()

    assert (a_slice(first.id).status, a_slice(first.id).attempts) == (SliceStatus.FAILED, 2 * attempts)


def test_resolving_asks_the_book_now_and_records_who_asked(broker: SimulatedBroker) -> None:
    broker.answers = [accept_but_lose_the_answer]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)

    assert operations.resolve_slice(first.id, "ops", utcnow()) is SliceStatus.WORKING

    assert any(event.detail.get("actor") == "ops" for event in operations.slice_history(first.id).events)


def test_resolving_by_hand_does_not_shorten_the_settle_delay(broker: SimulatedBroker) -> None:
    broker.answers = [lose_the_request]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    now = utcnow()

    statuses = [operations.resolve_slice(first.id, "ops", now) for _ in range(3)]

    assert set(statuses) == {SliceStatus.UNKNOWN}
    watch_the_book(now, now + settle_delay())
    assert a_slice(first.id).status is SliceStatus.SCHEDULED


def test_a_slice_that_does_not_exist_is_not_found(broker: SimulatedBroker) -> None:
    with pytest.raises(NotFound):
        operations.retry_slice("sl_00000000000000000000000000", "ops", utcnow())
