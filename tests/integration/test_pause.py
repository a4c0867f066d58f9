"""A paused order sends nothing new; resumed, it sends what it missed at its planned pace."""

from datetime import timedelta

import pytest

from api_contract.errors import InvalidState, NotFound
from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus
from pulse_core.config import settings
from pulse_core.owner import OneAccount
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import end_forgotten_pauses, pause_order, resume_order
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.track import track_slices
from tests.support.broker import SimulatedBroker, accept_and_fill
from tests.support.factories import a_slice, a_split_order, an_account, an_order, order, slices_of


def paused(**changes: object) -> str:
    order_id = a_split_order(**changes)
    pause_order(OneAccount(order(order_id).account_id), order_id, "trader", order(order_id).start_at)
    return order_id


def test_a_paused_order_sends_nothing(broker: SimulatedBroker) -> None:
    order_id = paused()

    execute_slice(slices_of(order_id)[0].id)

    assert broker.placements == []
    assert order(order_id).status is OrderStatus.PAUSED


def test_a_pause_between_claim_and_wire_keeps_the_slice_from_being_sent(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    account_id, first = order(order_id).account_id, slices_of(order_id)[0]
    broker.wait_for_turn = lambda _seconds: pause_order(OneAccount(account_id), order_id, "t", first.due_at)  # type: ignore[method-assign, assignment, return-value]

    execute_slice(first.id)

    assert broker.placements == []
    assert a_slice(first.id).status is SliceStatus.SCHEDULED


def test_what_works_is_still_followed_while_the_order_is_paused(broker: SimulatedBroker) -> None:
    broker.answers = [accept_and_fill]
    order_id = a_split_order()
    first = slices_of(order_id)[0]
    execute_slice(first.id)
    pause_order(OneAccount(order(order_id).account_id), order_id, "trader", first.due_at)

    track_slices(first.due_at)

    assert a_slice(first.id).status is SliceStatus.FILLED


def test_missed_slices_are_spread_over_the_rest_of_the_window(broker: SimulatedBroker) -> None:
    order_id = paused(num_splits=5, duration_minutes=60)
    start = order(order_id).start_at
    now = start + timedelta(minutes=20)

    resume_order(OneAccount(order(order_id).account_id), order_id, "trader", now)

    minutes = [(one.due_at - start) / timedelta(minutes=1) for one in slices_of(order_id)]
    assert minutes == [20, 40, 30, 45, 60]
    assert [one.status for one in slices_of(order_id)] == [SliceStatus.SCHEDULED] * 5


def test_an_order_with_no_room_left_ends_with_its_reason(broker: SimulatedBroker) -> None:
    order_id = paused()
    after_the_window = order(order_id).end_at + timedelta(seconds=1)

    resume_order(OneAccount(order(order_id).account_id), order_id, "trader", after_the_window)

    assert (order(order_id).status, order(order_id).result) == (OrderStatus.DONE, OrderResult.UNFILLED)
    assert {one.error_code for one in slices_of(order_id)} == {"NOT_FITTING"}


def test_a_pause_that_nobody_ends_is_ended_after_the_window(broker: SimulatedBroker) -> None:
    order_id = paused()
    end_at = order(order_id).end_at

    assert end_forgotten_pauses(end_at) == 0
    assert end_forgotten_pauses(end_at + timedelta(seconds=settings().late_grace + 1)) == 1

    assert order(order_id).status is OrderStatus.DONE


def test_pausing_and_resuming_twice_is_harmless(broker: SimulatedBroker) -> None:
    order_id = paused()
    account_id, now = order(order_id).account_id, order(order_id).start_at

    pause_order(OneAccount(account_id), order_id, "trader", now)
    resume_order(OneAccount(account_id), order_id, "trader", now)
    resume_order(OneAccount(account_id), order_id, "trader", now)

    assert order(order_id).status is OrderStatus.IN_PROGRESS


def test_a_paused_order_can_be_cancelled(broker: SimulatedBroker) -> None:
    order_id = paused()

    cancel_order(OneAccount(order(order_id).account_id), order_id, order(order_id).start_at, order(order_id).account_id)

    assert order(order_id).status is OrderStatus.CANCELLED


def test_an_order_that_is_not_split_or_has_ended_cannot_be_paused(broker: SimulatedBroker) -> None:
    order_id = an_order()

    with pytest.raises(InvalidState, match="PENDING"):
        pause_order(OneAccount(order(order_id).account_id), order_id, "trader", order(order_id).start_at)


def test_anothers_order_is_not_found(broker: SimulatedBroker) -> None:
    order_id = a_split_order()

    with pytest.raises(NotFound):
        pause_order(OneAccount(an_account()), order_id, "trader", order(order_id).start_at)
