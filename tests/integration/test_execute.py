"""A due slice is placed once, and what the broker answered decides what becomes of it."""

from datetime import timedelta

import pytest

from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus
from pulse_core.brokers.port import NotSent, Refused
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.track import track_slices
from tests.support.broker import SimulatedBroker, accept_and_fill, accept_but_lose_the_answer, answer_with
from tests.support.factories import a_slice, a_split_order, order, slices_of


def test_a_due_slice_is_placed_with_its_quantity_and_becomes_working(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]

    execute_slice(first.id)

    placed = a_slice(first.id)
    assert placed.status is SliceStatus.WORKING
    assert [(one.quantity, one.client_order_id) for one in broker.placements] == [(20, placed.client_order_id)]
    assert placed.broker_order_id in broker.book


def test_the_same_message_three_times_places_once(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]

    for _ in range(3):
        execute_slice(first.id)

    assert len(broker.placements) == 1


def test_a_slice_is_never_placed_before_its_time(broker: SimulatedBroker) -> None:
    last = slices_of(a_split_order())[-1]

    execute_slice(last.id)

    assert broker.placements == []
    assert a_slice(last.id).status is SliceStatus.SCHEDULED


def test_a_refusal_rejects_the_slice_with_the_brokers_words_and_is_not_repeated(broker: SimulatedBroker) -> None:
    broker.answers = [answer_with(Refused("MarginException", "not enough funds"))]
    first = slices_of(a_split_order())[0]

    execute_slice(first.id)
    execute_slice(first.id)

    rejected = a_slice(first.id)
    assert (rejected.status, rejected.error_code) == (SliceStatus.REJECTED, "MarginException")
    assert len(broker.placements) == 1


def test_what_was_certainly_not_sent_goes_back_into_the_schedule_with_a_pause(broker: SimulatedBroker) -> None:
    broker.answers = [answer_with(NotSent("CONNECTION_REFUSED", "nobody listens"))]
    first = slices_of(a_split_order())[0]

    execute_slice(first.id)

    reschedule = a_slice(first.id)
    assert reschedule.status is SliceStatus.SCHEDULED
    assert reschedule.due_at > first.due_at
    assert reschedule.scheduled_at == first.scheduled_at


def test_after_its_last_attempt_a_slice_is_failed(broker: SimulatedBroker) -> None:
    attempts = settings().placement_attempts
    broker.answers = [answer_with(NotSent("CONNECTION_REFUSED", "nobody listens"))] * attempts
    first = slices_of(a_split_order())[0]

    for _ in range(attempts):
        due_at = a_slice(first.id).due_at
        execute_slice(first.id, clock=lambda due_at=due_at: due_at)

    failed = a_slice(first.id)
    assert (failed.status, failed.attempts) == (SliceStatus.FAILED, attempts)


def test_a_lost_answer_makes_the_slice_unknown_and_it_is_not_sent_again(broker: SimulatedBroker) -> None:
    broker.answers = [accept_but_lose_the_answer]
    first = slices_of(a_split_order())[0]

    execute_slice(first.id)
    execute_slice(first.id)

    assert a_slice(first.id).status is SliceStatus.UNKNOWN
    assert len(broker.placements) == 1


def test_a_slice_far_beyond_its_window_is_skipped_and_the_order_says_so(broker: SimulatedBroker) -> None:
    order_id = a_split_order(duration_minutes=1)
    first = slices_of(order_id)[0]
    long_after = order(order_id).end_at + timedelta(seconds=settings().late_grace + 1)

    execute_slice(first.id, clock=lambda: long_after)

    skipped = a_slice(first.id)
    assert (skipped.status, skipped.error_code) == (SliceStatus.SKIPPED, "WINDOW_CLOSED")
    assert broker.placements == []


@pytest.mark.parametrize("num_splits", [2, 5])
def test_an_order_whose_slices_are_all_filled_is_done_with_its_average_price(
    broker: SimulatedBroker, num_splits: int
) -> None:
    broker.answers = [accept_and_fill] * num_splits
    order_id = a_split_order(num_splits=num_splits, max_slice_multiple=10)
    end_at = order(order_id).end_at

    for one in slices_of(order_id):
        execute_slice(one.id, clock=lambda: end_at)
    track_slices(utcnow())

    done = order(order_id)
    assert (done.status, done.result, done.filled_quantity) == (OrderStatus.DONE, OrderResult.FILLED, 100)
    assert str(done.average_price) == "2500.0500"
