"""When a sweep is run in a process and when it is left out, by a clock that the test moves."""

from datetime import UTC, datetime

import pytest

from pulse_core.sweeps import Sweep
from pulse_core.tasks import Task
from tests.support.clock import ManualClock


class Floor:
    """A process with one sweep that takes as long as a test says, and may fail."""

    def __init__(self, every: float = 1) -> None:
        # Imported here: it reads the environment.
        from pulse_tasks.sweep_runner import SweepRunner

        self.clock = ManualClock()
        self.ran: list[datetime] = []
        self.hints: list[str] = []
        self.takes = 0.0
        self.error: Exception | None = None
        self.asks_again = False
        self.runner = SweepRunner({Task.TRACK_SLICES: Sweep(self._sweep, every, self.hints.append)}, self.clock)

    def ask(self, *, is_tick: bool = False) -> None:
        self.runner.run(Task.TRACK_SLICES, is_tick=is_tick)

    @property
    def is_neglected(self) -> bool:
        return Task.TRACK_SLICES in self.runner.neglected()

    def _sweep(self, now: datetime) -> int:
        self.ran.append(now)
        self.clock.sleep(self.takes)
        if self.asks_again:
            self.runner.run(Task.TRACK_SLICES, "again")
        if self.error:
            raise self.error
        return 0


def test_a_sweep_is_handed_the_time_of_the_clock() -> None:
    floor = Floor()
    floor.ask()
    assert floor.ran == [datetime.fromtimestamp(floor.clock.now(), UTC)]


@pytest.mark.parametrize(("every", "patience"), [(1, 6), (30, 90)])
def test_a_sweep_is_neglected_when_nobody_asked_for_it_three_times_over(every: float, patience: float) -> None:
    floor = Floor(every)
    assert floor.is_neglected
    floor.ask()
    floor.clock.sleep(patience)
    assert not floor.is_neglected
    floor.clock.sleep(0.1)
    assert floor.is_neglected


def test_a_sweep_that_failed_is_neglected_soon_and_no_more_when_it_has_run() -> None:
    floor = Floor(every=30)
    floor.error = ConnectionError()
    with pytest.raises(ConnectionError):
        floor.ask()
    assert not floor.is_neglected
    floor.clock.sleep(3.1)
    assert floor.is_neglected

    floor.error = None
    floor.ask()
    floor.clock.sleep(3.1)
    assert not floor.is_neglected


def test_a_sweep_that_is_under_way_is_not_run_beside_itself() -> None:
    floor = Floor()
    floor.asks_again = True
    floor.ask()
    floor.ask()
    assert len(floor.ran) == 2


def test_of_ticks_that_waited_for_a_worker_one_is_run_and_what_was_asked_for_in_haste_is() -> None:
    floor = Floor(every=100)
    for _ in range(50):
        floor.ask(is_tick=True)
    floor.ask()
    assert len(floor.ran) == 2

    floor.clock.sleep(60)
    floor.ask(is_tick=True)
    assert len(floor.ran) == 3


def test_a_hint_is_taken_also_by_a_process_that_is_at_it() -> None:
    floor = Floor()
    floor.asks_again = True
    floor.runner.run(Task.TRACK_SLICES, "151220000000000")
    floor.ask()
    assert floor.hints == ["151220000000000", "again", "again"]


def test_a_sweep_that_was_looked_for_in_vain_is_not_neglected_and_counts_as_run() -> None:
    floor = Floor()
    floor.ask()
    floor.clock.sleep(7)
    floor.runner.leave_out_all_but(set())
    assert not floor.is_neglected
    assert floor.runner.lags() == {Task.TRACK_SLICES: 0}
    floor.ask(is_tick=True)
    assert len(floor.ran) == 2, "a tick that comes after the look is run"


def test_a_sweep_that_may_find_something_stays_neglected() -> None:
    floor = Floor()
    floor.ask()
    floor.clock.sleep(7)
    floor.runner.leave_out_all_but({Task.TRACK_SLICES})
    assert floor.is_neglected


def test_no_look_stands_for_a_run_that_failed_or_for_all_runs_of_a_minute() -> None:
    floor = Floor()
    floor.runner.leave_out_all_but(set())
    assert floor.is_neglected, "the first run of a process"

    floor.error = ConnectionError()
    with pytest.raises(ConnectionError):
        floor.ask()
    floor.clock.sleep(7)
    floor.runner.leave_out_all_but(set())
    assert floor.is_neglected
    assert floor.runner.lags() == {Task.TRACK_SLICES: 6}, "the look is no run"

    floor.error = None
    floor.ask()
    for _ in range(9):
        floor.clock.sleep(6.5)
        floor.runner.leave_out_all_but(set())
    assert not floor.is_neglected
    floor.clock.sleep(6.5)
    floor.runner.leave_out_all_but(set())
    assert floor.is_neglected
