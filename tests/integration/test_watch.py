"""The watch reads Postgres itself: overdue slices and neglected sweeps need no message."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import ModuleType

import pytest
from sqlalchemy import update

from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.errors import DatabaseUnavailable
from pulse_core.sweeps import SWEEPS, Sweep
from pulse_core.trading.tables import Order, OrderSlice
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_slice, a_split_order, order, slices_of


@pytest.fixture
def watch(environment: dict[str, str], broker: SimulatedBroker) -> Iterator[ModuleType]:
    from pulse_tasks import watch

    before = dict(watch._last_run)
    watch._rests_until.clear()
    yield watch
    watch._last_run.update(before)
    watch._rests_until.clear()


def an_overdue_slice() -> OrderSlice:
    return slices_of(a_split_order(utcnow() - timedelta(seconds=settings().overdue_after + 1)))[0]


def test_an_overdue_slice_is_placed_without_a_message(watch: ModuleType, broker: SimulatedBroker) -> None:
    overdue = [an_overdue_slice() for _ in range(3)]

    watch.execute_overdue()
    watch.execute_overdue()

    assert {a_slice(one.id).status for one in overdue} == {SliceStatus.WORKING}
    assert len(broker.placements) == 3


def test_a_slice_that_is_just_due_is_left_to_its_message(watch: ModuleType, broker: SimulatedBroker) -> None:
    due = slices_of(a_split_order())[0]

    watch.execute_overdue()

    assert (broker.placements, a_slice(due.id).status) == ([], SliceStatus.SCHEDULED)


def test_an_overdue_slice_of_a_paused_order_is_not_placed(watch: ModuleType, broker: SimulatedBroker) -> None:
    overdue = an_overdue_slice()
    with db.transaction() as session:
        session.execute(update(Order).where(Order.id == overdue.order_id).values(status=OrderStatus.PAUSED))

    watch.execute_overdue()

    assert broker.placements == []


def test_one_slice_that_fails_does_not_hold_up_the_others(
    watch: ModuleType, broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    overdue, place = [an_overdue_slice() for _ in range(4)], watch.execute_slice

    def fail_for_the_first(slice_id: str) -> None:
        if slice_id == overdue[0].id:
            raise DatabaseUnavailable("away")
        place(slice_id)

    monkeypatch.setattr(watch, "execute_slice", fail_for_the_first)
    watch._attempt("execute_overdue", watch.execute_overdue)

    assert [a_slice(one.id).status for one in overdue] == [SliceStatus.SCHEDULED] + [SliceStatus.WORKING] * 3


def test_a_neglected_sweep_is_run_and_one_that_was_run_lately_is_not(
    watch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[str] = []
    monkeypatch.setattr(
        watch, "SWEEPS", {"a": recorder(run, "a"), "b": recorder(run, "b"), "slow": recorder(run, "slow", 30)}
    )
    for name in ("a", "b", "slow"):
        monkeypatch.setitem(watch._last_run, name, time.monotonic() - 7)
    watch.note_run("b")

    watch.run_neglected_sweeps()
    watch.run_neglected_sweeps()

    assert run == ["a"]


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), ConnectionError("away"), RuntimeError("a defect")])
def test_a_sweep_that_fails_does_not_hold_up_the_others(
    watch: ModuleType, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    run: list[str] = []

    def fail(_now: datetime) -> int:
        raise error

    monkeypatch.setattr(watch, "SWEEPS", {"a": Sweep(fail, 1), "b": recorder(run, "b")})
    for name in ("a", "b"):
        monkeypatch.setitem(watch._last_run, name, time.monotonic() - 7)

    watch.run_neglected_sweeps()

    assert run == ["b"]


def test_a_sweep_that_is_under_way_is_not_run_beside_itself(watch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[str] = []

    def run_again(_now: datetime) -> int:
        run.append("a")
        watch.run_sweep("a")
        return 0

    monkeypatch.setattr(watch, "SWEEPS", {"a": Sweep(run_again, 1)})

    watch.run_sweep("a")
    watch.run_sweep("a")

    assert run == ["a", "a"]


def test_of_ticks_that_waited_for_a_worker_one_is_run_and_what_was_asked_for_in_haste_is(
    watch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[str] = []
    monkeypatch.setattr(watch, "SWEEPS", {"a": recorder(run, "a", every=100)})
    monkeypatch.setattr(watch, "_began_at", {})
    monkeypatch.setattr(watch, "_rests_until", {})
    for _ in range(50):
        watch.run_sweep("a", is_tick=True)
    watch.run_sweep("a")
    assert run == ["a", "a"]

    monkeypatch.setitem(watch._began_at, "a", time.monotonic() - 60)
    watch.run_sweep("a", is_tick=True)

    assert run == ["a", "a", "a"]


@pytest.mark.parametrize(("rest", "expected"), [(0, 3), (1000, 1)])
def test_a_sweep_rests_in_proportion_to_what_it_took(
    watch: ModuleType, monkeypatch: pytest.MonkeyPatch, rest: float, expected: int
) -> None:
    run: list[str] = []

    def take_some_time(_now: datetime) -> int:
        run.append("a")
        time.sleep(0.005)
        return 0

    monkeypatch.setattr(watch, "SWEEPS", {"a": Sweep(take_some_time, 1, rest)})
    for _ in range(3):
        watch.run_sweep("a")

    assert len(run) == expected


def test_a_rest_is_never_long_and_none_follows_a_failure(watch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[str] = []

    def fail(_now: datetime) -> int:
        run.append("a")
        time.sleep(0.005)
        raise ConnectionError("away")

    monkeypatch.setattr(watch, "SWEEPS", {"a": Sweep(fail, 1, 1000), "b": Sweep(recorder(run, "b").run, 1, 10**9)})
    for _ in range(2):
        with pytest.raises(ConnectionError):
            watch.run_sweep("a")
    watch.run_sweep("b")

    assert run == ["a", "a", "b"]
    assert watch._rests_until["b"] <= time.monotonic() + watch.LONGEST_REST


def test_all_sweeps_together_finish_an_order_without_a_single_message(
    watch: ModuleType, broker: SimulatedBroker
) -> None:
    order_id = a_split_order(utcnow() - timedelta(minutes=2), duration_minutes=1)
    watch.execute_overdue()
    for broker_order_id in list(broker.book):
        broker.fill(broker_order_id)
    for name in SWEEPS:
        watch._last_run[name] = time.monotonic() - 100

    watch.run_neglected_sweeps()

    assert (order(order_id).status, order(order_id).filled_quantity) == (OrderStatus.DONE, 100)


def recorder(run: list[str], name: str, every: float = 1) -> Sweep:
    def record(_now: datetime) -> int:
        run.append(name)
        return 0

    return Sweep(record, every)
