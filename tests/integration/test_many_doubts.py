"""What many slices in doubt cost a sweep: no more statements than few, until there is something to say about one."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.errors import RowsLocked
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.slice.track import MISSING_FOR, track_slices
from pulse_core.trading.store import absences, slices
from pulse_core.trading.store.absences import Look
from tests.support.broker import SimulatedBroker, accept, lose_the_request
from tests.support.factories import a_slice, a_split_order, settle_delay, slices_of
from tests.support.statements import statements

# After everything below was sent.
START = timedelta(hours=2)


def in_doubt(broker: SimulatedBroker, number: int) -> list[str]:
    """Slices whose requests were lost, of one order beside which another is working; their ids."""
    first, *others = slices_of(a_split_order(num_splits=number + 1))
    broker.answers = [accept, *[lose_the_request] * number]
    for one in (first, *others):
        execute_slice(one.id, clock=lambda due_at=one.due_at: due_at)  # type: ignore[misc]
    assert {a_slice(one.id).status for one in others} == {SliceStatus.UNKNOWN}
    return [one.id for one in others]


def cost_of_a_look(at: datetime) -> int:
    with statements() as made:
        resolve_slices(at)
    return len(made)


def test_a_look_at_many_absent_slices_takes_as_many_statements_as_one_at_few(broker: SimulatedBroker) -> None:
    start = utcnow() + START
    in_doubt(broker, 2)
    few = cost_of_a_look(start)
    many = in_doubt(broker, 9)

    assert cost_of_a_look(start + timedelta(seconds=5)) == few
    assert all(a_slice(slice_id).absent_since is not None for slice_id in many)


def test_what_no_book_can_tell_is_told_once_and_put_off_together_from_then_on(broker: SimulatedBroker) -> None:
    start = utcnow() + START
    few, many = in_doubt(broker, 2), in_doubt(broker, 9)
    broker.book = {}
    told = cost_of_a_look(start)
    again = cost_of_a_look(start + timedelta(seconds=6))

    assert again < told / 4
    assert {a_slice(slice_id).absent_since for slice_id in few + many} == {None}
    assert all((a_slice(slice_id).resolve_at or start) > start + timedelta(seconds=10) for slice_id in few + many)


def test_absent_slices_are_settled_one_by_one_when_their_time_is_over(broker: SimulatedBroker) -> None:
    start = utcnow() + START
    lost = in_doubt(broker, 4)
    for seconds in range(0, int(settle_delay().total_seconds()) + 6, 2):
        resolve_slices(start + timedelta(seconds=seconds))

    assert {a_slice(slice_id).status for slice_id in lost} == {SliceStatus.SCHEDULED}


def test_a_slice_that_somebody_else_has_locked_is_left_out_of_a_look(broker: SimulatedBroker) -> None:
    start = utcnow() + START
    locked, *others = in_doubt(broker, 3)
    with db.transaction() as session:
        slices.lock(session, locked)
        with pytest.raises(RowsLocked):
            resolve_slices(start)

    assert all(a_slice(slice_id).absent_since is not None for slice_id in others)


def test_a_missing_order_is_looked_up_once_for_as_long_as_it_is_missing(broker: SimulatedBroker) -> None:
    start = utcnow() + START
    in_doubt(broker, 1)
    broker.book = {}
    for at in (start, start + MISSING_FOR):
        track_slices(at)
    with statements() as made:
        track_slices(start + MISSING_FOR + timedelta(seconds=1))

    assert made
    assert not [one for one in made if "slice_events" in one]


def test_a_slice_of_which_a_look_can_tell_nothing_is_neither_watched_nor_settled(broker: SimulatedBroker) -> None:
    start = utcnow() + START
    [lost] = in_doubt(broker, 1)
    look = Look(start, start, settle_delay())
    nameless = SimpleNamespace(id=lost, client_order_id=None)
    with db.transaction() as session:
        told = absences.note(session, [nameless], look)  # type: ignore[list-item]

    assert (told.watched, told.settled) == (frozenset(), frozenset())
