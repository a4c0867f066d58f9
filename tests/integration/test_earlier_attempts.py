"""What earlier attempts of a slice did, or may still do, is looked at before the next one goes out."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner

from api_contract.errors import InvalidState
from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import failpoints
from pulse_core.brokers.port import BrokerOrderStatus, NotSent, Placement, Refused
from pulse_core.clock import utcnow
from pulse_core.events.names import EventKind
from pulse_core.trading.slice import operations
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.vocabulary import PlacementOutcome
from pulse_ops.cli import main
from tests.support.broker import SimulatedBroker, accept, answer_with, lose_the_request
from tests.support.factories import a_slice, a_split_order, later, order, settle_delay, slices_of, watch_the_book

TURNED_UP = "TURNED_UP"
RATE_LIMITED = answer_with(NotSent("RATE_LIMITED", "too many"))


@pytest.fixture(autouse=True)
def no_actions() -> Iterator[None]:
    yield
    failpoints.actions.clear()


def alarms(slice_id: str) -> list[str]:
    return [one.detail["code"] for one in operations.slice_history(slice_id).events if one.kind is EventKind.ALARM]


def outcomes(slice_id: str) -> list[PlacementOutcome | None]:
    return [one.outcome for one in operations.slice_history(slice_id).attempts]


def execute_again(slice_id: str) -> None:
    execute_slice(slice_id, clock=lambda: max(a_slice(slice_id).due_at, utcnow()))


def presumed_absent(broker: SimulatedBroker) -> tuple[str, Placement, datetime]:
    """A slice back in the schedule, its attempt that was taken for absent, and when that was."""
    broker.answers = [lose_the_request]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    start = later(1)
    watch_the_book(start, start + settle_delay())
    assert a_slice(first.id).status is SliceStatus.SCHEDULED
    return first.id, broker.placements[0], start + settle_delay()


def rejected_by_the_book(broker: SimulatedBroker) -> tuple[str, str]:
    """A slice that an operator has put back after the broker had accepted and then rejected it."""
    broker.answers = [accept]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    broker_order_id = next(iter(broker.book))
    broker.reject(broker_order_id)
    track_slices(utcnow())
    operations.retry_slice(first.id, "ops", utcnow())
    return first.id, broker_order_id


def test_late_fills_of_an_earlier_attempt_before_the_wire_are_not_bought_again(broker: SimulatedBroker) -> None:
    slice_id, earlier = rejected_by_the_book(broker)

    def fill_late() -> None:
        del failpoints.actions["execute.after_turn"]
        broker.fill(earlier, 8)
        reconcile(utcnow())

    failpoints.actions["execute.after_turn"] = fill_late
    execute_again(slice_id)

    assert len(broker.placements) == 1
    assert (a_slice(slice_id).status, a_slice(slice_id).error_code) == (SliceStatus.SCHEDULED, "QUANTITY_CHANGED")

    execute_again(slice_id)
    assert broker.placements[-1].quantity == 12


def test_a_late_fill_of_all_of_it_leaves_nothing_to_send(broker: SimulatedBroker) -> None:
    slice_id, earlier = rejected_by_the_book(broker)
    broker.fill(earlier)
    reconcile(utcnow())

    execute_again(slice_id)

    assert (len(broker.placements), a_slice(slice_id).status) == (1, SliceStatus.SKIPPED)


def test_a_presumed_absent_attempt_that_turns_up_takes_its_slice_out_of_the_schedule(broker: SimulatedBroker) -> None:
    slice_id, old, since = presumed_absent(broker)
    broker_order_id = broker.enter(old)

    reconcile(since)

    assert (a_slice(slice_id).status, alarms(slice_id)) == (SliceStatus.UNKNOWN, [TURNED_UP])
    resolve_slices(since)
    assert a_slice(slice_id).broker_order_id == broker_order_id


def test_it_does_so_also_when_another_attempt_was_made_in_vain_meanwhile(broker: SimulatedBroker) -> None:
    slice_id, old, since = presumed_absent(broker)
    broker.answers = [RATE_LIMITED]
    execute_slice(slice_id, clock=lambda: since + timedelta(minutes=1))
    assert outcomes(slice_id) == [PlacementOutcome.ABSENT, PlacementOutcome.NOT_SENT]
    broker_order_id = broker.enter(old)

    reconcile(since + timedelta(minutes=1))
    execute_slice(slice_id, clock=lambda: since + timedelta(minutes=2))
    resolve_slices(since + timedelta(minutes=2))

    assert len(broker.placements) == 2
    assert (a_slice(slice_id).status, a_slice(slice_id).broker_order_id) == (SliceStatus.WORKING, broker_order_id)


@pytest.mark.parametrize("sweep", [track_slices, resolve_slices, reconcile])
def test_every_reading_of_the_book_looks_for_presumed_absent_attempts(broker: SimulatedBroker, sweep: object) -> None:
    slice_id, old, since = presumed_absent(broker)
    broker.answers = [accept, lose_the_request]
    for one in slices_of(a_slice(slice_id).order_id)[1:3]:
        execute_slice(one.id, clock=lambda: since + timedelta(hours=1))
    broker.enter(old)

    sweep(since + timedelta(hours=1, seconds=1))  # type: ignore[operator]

    assert alarms(slice_id) == [TURNED_UP]


def test_an_attempt_that_turns_up_between_claim_and_wire_stops_the_next_one(broker: SimulatedBroker) -> None:
    slice_id, old, since = presumed_absent(broker)

    def turn_up() -> None:
        del failpoints.actions["execute.after_turn"]
        broker.enter(old)
        reconcile(since + timedelta(minutes=1))

    failpoints.actions["execute.after_turn"] = turn_up
    execute_slice(slice_id, clock=lambda: since + timedelta(minutes=1))

    assert len(broker.placements) == 1
    assert (a_slice(slice_id).status, a_slice(slice_id).client_order_id) == (SliceStatus.UNKNOWN, old.client_order_id)
    resolve_slices(since + timedelta(minutes=2))
    assert a_slice(slice_id).status is SliceStatus.WORKING


def test_a_slice_is_not_retried_while_an_attempt_of_it_may_be_live_and_is_once_the_book_shows_its_end(
    broker: SimulatedBroker,
) -> None:
    broker.answers = [answer_with(Refused("MarginException", "not enough funds"))]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    stray = broker.enter(broker.placements[0])
    reconcile(utcnow())
    broker.book[stray] = replace(broker.book[stray], status=BrokerOrderStatus.OPEN)
    with pytest.raises(operations.InvalidState, match="attempt 1 of it may be live"):
        operations.retry_slice(first.id, "ops", utcnow())

    broker.book[stray] = replace(broker.book[stray], status=BrokerOrderStatus.CANCELLED)
    reconcile(utcnow())

    operations.retry_slice(first.id, "ops", utcnow())
    execute_again(first.id)
    assert a_slice(first.id).status is SliceStatus.WORKING


def turned_up_beside_a_refusal(broker: SimulatedBroker) -> tuple[str, str]:
    """A slice that the broker refused, and an earlier attempt of it, taken for absent, that is live after all."""
    slice_id, old, since = presumed_absent(broker)
    broker.answers = [answer_with(Refused("MarginException", "not enough funds"))]
    execute_slice(slice_id, clock=lambda: since + timedelta(minutes=1))
    late = broker.enter(old)
    broker.cancel = broker.cancels.append  # type: ignore[method-assign]
    reconcile(since + timedelta(minutes=1))
    assert (a_slice(slice_id).status, alarms(slice_id)) == (SliceStatus.REJECTED, [TURNED_UP])
    return slice_id, late


def stay_live(_broker: SimulatedBroker, _late: str) -> None:
    """Nothing more is heard of it."""


def lose_sight_of(broker: SimulatedBroker, late: str) -> None:
    del broker.book[late]


@pytest.mark.parametrize(
    ("happen", "why"),
    [
        (stay_live, "may be live"),
        (lambda broker, late: broker.fill(late, 5), "may be live"),
        (lambda broker, late: broker.fill(late), "it is filled"),
        (lose_sight_of, "may be live"),
    ],
    ids=["live", "partly filled", "filled", "no longer in the book"],
)
def test_a_slice_is_not_retried_while_its_late_order_is_live_filled_or_unknown(
    broker: SimulatedBroker, happen: Callable[[SimulatedBroker, str], None], why: str
) -> None:
    slice_id, late = turned_up_beside_a_refusal(broker)
    happen(broker, late)
    reconcile(utcnow())

    with pytest.raises(InvalidState, match=why) as refused:
        operations.retry_slice(slice_id, "ops", utcnow())
    reason = operations.why_not_retried(slice_id, utcnow())
    assert refused.value.message == f"slice {slice_id} cannot be retried: {reason}"


def test_a_dry_run_refuses_what_the_retry_refuses(broker: SimulatedBroker) -> None:
    slice_id, late = turned_up_beside_a_refusal(broker)

    refused = dry_run(slice_id)
    broker.book[late] = replace(broker.book[late], status=BrokerOrderStatus.CANCELLED)
    reconcile(utcnow())
    allowed = dry_run(slice_id)

    reason = "attempt 1 of it may be live at the broker"
    assert refused == [{"slice_id": slice_id, "result": "refused", "reason": reason}]
    assert allowed == [{"slice_id": slice_id, "result": "would retry", "reason": None}]
    assert a_slice(slice_id).status is SliceStatus.REJECTED


def dry_run(slice_id: str) -> object:
    return json.loads(CliRunner().invoke(main, ["slices", "retry", slice_id, "--dry-run", "--json"]).stdout)


@pytest.mark.parametrize("end", [BrokerOrderStatus.CANCELLED, BrokerOrderStatus.REJECTED])
def test_a_slice_is_retried_once_the_book_proves_that_its_late_order_ended_with_nothing_filled(
    broker: SimulatedBroker, end: BrokerOrderStatus
) -> None:
    slice_id, late = turned_up_beside_a_refusal(broker)
    broker.book[late] = replace(broker.book[late], status=end)
    reconcile(utcnow())

    operations.retry_slice(slice_id, "ops", utcnow())

    execute_again(slice_id)
    assert (a_slice(slice_id).status, broker.placements[-1].quantity) == (SliceStatus.WORKING, 20)


def test_a_refusal_that_also_stands_rejected_in_the_book_is_confirmed_by_it(broker: SimulatedBroker) -> None:
    broker.answers = [answer_with(Refused("MarginException", "not enough funds"))]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    broker.reject(broker.enter(broker.placements[0]))

    for _ in range(3):
        reconcile(utcnow())

    assert (a_slice(first.id).status, alarms(first.id)) == (SliceStatus.REJECTED, [])
    assert outcomes(first.id) == [PlacementOutcome.REFUSED]
    operations.retry_slice(first.id, "ops", utcnow())
    execute_again(first.id)
    assert a_slice(first.id).status is SliceStatus.WORKING


@pytest.mark.parametrize("filled", [0, 5])
def test_a_refusal_that_stands_live_or_filled_in_the_book_still_alarms(broker: SimulatedBroker, filled: int) -> None:
    broker.answers = [answer_with(Refused("MarginException", "not enough funds"))]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    broker_order_id = broker.enter(broker.placements[0])
    if filled:
        broker.fill(broker_order_id, filled)

    reconcile(utcnow())

    assert TURNED_UP in alarms(first.id)


def overfilled(broker: SimulatedBroker, extra: int) -> list[str]:
    """The slices of an order of 100 whose first of five was filled with so many shares too many."""
    broker.answers = [accept]
    found = slices_of(a_split_order())
    execute_slice(found[0].id)
    broker_order_id = next(iter(broker.book))
    broker.book[broker_order_id] = replace(broker.book[broker_order_id], quantity=20 + extra)
    broker.fill(broker_order_id)
    track_slices(utcnow())
    return [one.id for one in found]


def test_a_slice_is_lowered_to_the_room_that_its_order_has_left(broker: SimulatedBroker) -> None:
    _first, second, *_rest = overfilled(broker, 4)
    turns = []
    broker.wait_for_turn = turns.append  # type: ignore[method-assign]

    execute_again(second)
    assert turns == []
    assert (a_slice(second).status, a_slice(second).quantity) == (SliceStatus.SCHEDULED, 16)

    execute_again(second)
    assert (broker.placements[-1].quantity, a_slice(second).status) == (16, SliceStatus.WORKING)
    lowered = [one.detail for one in operations.slice_history(second).events if one.kind is EventKind.ALARM]
    assert [(one["lowered_from"], one["lowered_to"]) for one in lowered] == [(20, 16)]


def test_a_slice_without_room_is_skipped_once_and_its_order_ends(broker: SimulatedBroker) -> None:
    slice_ids = overfilled(broker, 40)
    broker.answers = []

    for slice_id in slice_ids[1:] * 3:
        execute_again(slice_id)
    for broker_order_id in broker.book:
        broker.fill(broker_order_id)
    track_slices(later(3600))

    statuses = [a_slice(slice_id).status for slice_id in slice_ids]
    assert statuses.count(SliceStatus.SKIPPED) == 2
    assert sum(placement.quantity for placement in broker.placements) == 60
    done = order(a_slice(slice_ids[0]).order_id)
    assert (done.status, done.filled_quantity) == (OrderStatus.DONE, 100)
