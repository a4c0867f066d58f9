"""The watch reads Postgres itself: overdue slices and neglected sweeps need no message."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Event
from types import ModuleType

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import db, queue
from pulse_core.brokers.port import Refused
from pulse_core.clock import DatabaseTime, utcnow
from pulse_core.config import settings
from pulse_core.errors import DatabaseUnavailable
from pulse_core.sweeps import SWEEPS, Sweep
from pulse_core.tasks import Task
from pulse_core.trading.slice import batches
from pulse_core.trading.slice.execute import Attempts
from pulse_core.trading.slice.shares import Shares
from pulse_core.trading.tables import Order, OrderSlice
from tests.support.broker import SimulatedBroker, answer_with
from tests.support.factories import a_slice, a_split_order, order, slices_of
from tests.support.processes import wait_until
from tests.support.watching import THREADS, look


@pytest.fixture
def watch(environment: dict[str, str], broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    from pulse_tasks import watch
    from pulse_tasks.sweep_runner import SweepRunner

    # Nothing of what the sweeps of other tests left behind.
    monkeypatch.setattr(watch, "runner", SweepRunner(SWEEPS, DatabaseTime()))
    return watch


def an_overdue_slice() -> OrderSlice:
    return slices_of(a_split_order(utcnow() - timedelta(seconds=settings().overdue_after + 1)))[0]


def test_an_overdue_slice_is_placed_without_a_message(watch: ModuleType, broker: SimulatedBroker) -> None:
    overdue = [an_overdue_slice() for _ in range(3)]

    look(watch)
    look(watch)

    assert {a_slice(one.id).status for one in overdue} == {SliceStatus.WORKING}
    assert len(broker.placements) == 3


def test_what_found_no_thread_is_placed_at_the_next_look_long_before_it_is_overdue(
    watch: ModuleType, broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "shares", Shares())
    aside, other = (slices_of(a_split_order(utcnow()))[0] for _ in range(2))
    watch.shares.put_aside("paper", [aside.id])

    look(watch)

    assert [a_slice(one.id).status for one in (aside, other)] == [SliceStatus.WORKING, SliceStatus.SCHEDULED]
    assert watch.shares.take_aside("paper") == ()


def test_what_finds_no_thread_at_a_look_either_is_placed_at_the_one_after(
    watch: ModuleType, broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "shares", Shares())
    first, second = (slices_of(a_split_order(utcnow()))[0] for _ in range(2))
    for one in (first, second):
        watch.shares.put_aside("paper", [one.id])

    for placed in (1, 2):
        hands = watch.Hands(lambda: 1)
        watch.execute_overdue(hands)
        hands.wait()
        assert len(broker.placements) == placed

    assert watch.shares.take_aside("paper") == ()


def test_a_refusal_that_no_message_met_is_shown_by_one(
    watch: ModuleType, broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.answers.append(answer_with(Refused("MarginException", "Insufficient funds.")))
    overdue = [an_overdue_slice(), an_overdue_slice()]
    rows: list[tuple[tuple[str, ...], str | None]] = []

    def note(_session: Session, task: Task, *args: str, shown: str | None = None, **_options: object) -> None:
        if task is Task.EXECUTE_SLICE:
            rows.append((args, shown))

    # On the queue itself they could not be told from the messages of the split.
    monkeypatch.setattr(queue, "wake_after_commit", note)
    look(watch)

    refused, placed = sorted((a_slice(one.id) for one in overdue), key=lambda one: one.status)
    assert (refused.status, placed.status) == (SliceStatus.REJECTED, SliceStatus.WORKING)
    [(args, row)] = rows
    assert args == (refused.id,)
    assert row is not None
    assert row.startswith("BUY ")


def test_overdue_slices_are_placed_in_batches(
    watch: ModuleType, broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    overdue, place, placed = [an_overdue_slice() for _ in range(5)], watch.execute_slices, []

    def note(slice_ids: Sequence[str]) -> Attempts:
        placed.append(len(slice_ids))
        attempts: Attempts = place(slice_ids)
        return attempts

    monkeypatch.setattr(batches, "MOST", 3)
    monkeypatch.setattr(watch, "execute_slices", note)
    look(watch)

    assert sorted(placed) == [2, 3]
    assert {a_slice(one.id).status for one in overdue} == {SliceStatus.WORKING}


def test_a_slice_that_is_just_due_is_left_to_its_message(watch: ModuleType, broker: SimulatedBroker) -> None:
    due = slices_of(a_split_order())[0]

    look(watch)

    assert (broker.placements, a_slice(due.id).status) == ([], SliceStatus.SCHEDULED)


def test_an_overdue_slice_of_a_paused_order_is_not_placed(watch: ModuleType, broker: SimulatedBroker) -> None:
    overdue = an_overdue_slice()
    with db.transaction() as session:
        session.execute(update(Order).where(Order.id == overdue.order_id).values(status=OrderStatus.PAUSED))

    look(watch)

    assert broker.placements == []


def test_one_slice_that_fails_does_not_hold_up_the_others(
    watch: ModuleType, broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    overdue, place = [an_overdue_slice() for _ in range(4)], watch.execute_slices

    def fail_for_the_first(slice_ids: Sequence[str]) -> Attempts:
        if overdue[0].id in slice_ids:
            raise DatabaseUnavailable("away")
        attempts: Attempts = place(slice_ids)
        return attempts

    monkeypatch.setattr(batches, "MOST", 1)
    monkeypatch.setattr(watch, "execute_slices", fail_for_the_first)
    look(watch)

    assert [a_slice(one.id).status for one in overdue] == [SliceStatus.SCHEDULED] + [SliceStatus.WORKING] * 3


def test_one_slice_that_hangs_holds_up_neither_the_others_nor_the_next_look(
    watch: ModuleType, broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung, place, may_go_on = an_overdue_slice(), watch.execute_slices, Event()

    def hang_for_the_first(slice_ids: Sequence[str]) -> Attempts:
        if hung.id in slice_ids:
            may_go_on.wait(30)
        attempts: Attempts = place(slice_ids)
        return attempts

    monkeypatch.setattr(watch, "execute_slices", hang_for_the_first)
    hands = watch.Hands()
    watch.execute_overdue(hands)
    others = [an_overdue_slice() for _ in range(THREADS + 1)]

    wait_until(lambda: watch.execute_overdue(hands) or len(broker.placements) == len(others))

    wait_until(lambda: hands.free() == THREADS - 1)
    may_go_on.set()
    hands.wait()
    assert {a_slice(one.id).status for one in (hung, *others)} == {SliceStatus.WORKING}
    assert len(broker.placements) == 1 + len(others)


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), ConnectionError("away"), RuntimeError("a defect")])
def test_a_sweep_that_fails_does_not_hold_up_the_others(
    watch: ModuleType, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from pulse_tasks.sweep_runner import SweepRunner

    run: list[datetime] = []

    def fail(_now: datetime) -> int:
        raise error

    def succeed(now: datetime) -> int:
        run.append(now)
        return 0

    sweeps = {Task.TRACK_SLICES: Sweep(fail, 1), Task.RESOLVE_SLICES: Sweep(succeed, 1)}
    monkeypatch.setattr(watch, "runner", SweepRunner(sweeps, DatabaseTime()))

    watch.run_neglected_sweeps()

    assert len(run) == 1


def test_all_sweeps_together_finish_an_order_without_a_single_message(
    watch: ModuleType, broker: SimulatedBroker
) -> None:
    order_id = a_split_order(utcnow() - timedelta(minutes=2), duration_minutes=1, max_slice_multiple=10)
    look(watch)
    for broker_order_id in list(broker.book):
        broker.fill(broker_order_id)

    watch.run_neglected_sweeps()

    assert (order(order_id).status, order(order_id).filled_quantity) == (OrderStatus.DONE, 100)
