"""The database's time, as one process knows it between two measurements."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pulse_core.errors import DatabaseUnavailable
from pulse_core.postgres import database_clock
from pulse_core.postgres.database_clock import ALARM_AGAIN_AFTER, EVERY, LONGEST_BELIEVED, DatabaseClock, Measurement

EPOCH = 1_800_000_000.0


@dataclass
class Machine:
    """A machine whose own clock and wall clock are what a test says, and a database that is asked over a network."""

    steady: float = 1000.0
    database_ahead: float = 0.0
    wall_ahead: float = 0.0
    there: float = 0.0005
    back: float = 0.0005
    is_away: bool = False
    asked: int = 0
    said: list[dict[str, Any]] = field(default_factory=list)

    def steadily(self) -> float:
        return self.steady

    def database(self) -> float:
        return EPOCH + self.steady + self.database_ahead

    def wall(self) -> float:
        return EPOCH + self.steady + self.wall_ahead

    def measure(self) -> Measurement:
        self.asked += 1
        if self.is_away:
            raise DatabaseUnavailable("away")
        asked_at = self.steady
        self.steady += self.there
        told = self.database()
        self.steady += self.back
        return Measurement(told, asked_at, self.steady)

    def error(self, event: str, **fields: Any) -> None:
        self.said.append({"event": event, **fields})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(database_clock, "log", machine)
    monkeypatch.setattr(database_clock, "Thread", AtOnce)
    return machine


@pytest.fixture
def clock(machine: Machine) -> DatabaseClock:
    return DatabaseClock(machine.measure, machine.steadily, machine.wall)


class AtOnce:
    """A thread that has done its work when it is started."""

    def __init__(self, target: Callable[[], None], **_options: object) -> None:
        self.start = target


def off(clock: DatabaseClock, machine: Machine) -> float:
    """How far the clock is ahead of the database."""
    return clock.now() - machine.database()


def go_on(clock: DatabaseClock, machine: Machine, seconds: float = EVERY) -> None:
    machine.steady += seconds
    clock.now()


@pytest.mark.parametrize("wall_ahead", [-60.0, -5.0, 0.0, 5.0, 60.0])
def test_the_wall_clock_of_the_machine_makes_no_difference(
    clock: DatabaseClock, machine: Machine, wall_ahead: float
) -> None:
    machine.wall_ahead = wall_ahead
    for _ in range(5):
        assert abs(off(clock, machine)) < 0.001
        go_on(clock, machine)


def test_a_wall_clock_that_is_set_while_we_run_makes_no_difference(clock: DatabaseClock, machine: Machine) -> None:
    clock.now()
    machine.wall_ahead = -3600.0
    assert abs(off(clock, machine)) < 0.001
    assert clock.is_steady()


def test_the_measurement_with_the_shortest_way_is_believed_among_the_recent(
    clock: DatabaseClock, machine: Machine
) -> None:
    machine.back = 0.4
    assert off(clock, machine) == pytest.approx(-0.2, abs=0.001)
    machine.back = 0.0005
    go_on(clock, machine)
    machine.there = 0.4
    go_on(clock, machine)
    assert abs(off(clock, machine)) < 0.001
    for _ in range(database_clock.KEPT):
        go_on(clock, machine)
    assert off(clock, machine) == pytest.approx(0.2, abs=0.001), "what is not recent any more is forgotten"


def test_an_answer_that_took_too_long_counts_only_where_there_is_none_better(
    clock: DatabaseClock, machine: Machine
) -> None:
    machine.back = 3.0
    assert off(clock, machine) == pytest.approx(-1.5, abs=0.001)
    machine.back = 0.3
    go_on(clock, machine)
    assert off(clock, machine) == pytest.approx(-0.15, abs=0.001)
    machine.back, machine.there = 0.0005, 3.0
    go_on(clock, machine)
    assert off(clock, machine) == pytest.approx(-0.15, abs=0.001)
    assert (clock.is_steady(), machine.said) == (True, [])


def test_nobody_asks_more_often_than_every_two_seconds(clock: DatabaseClock, machine: Machine) -> None:
    for _ in range(100):
        clock.now()
        clock.is_steady()
    assert machine.asked == 1
    go_on(clock, machine)
    assert machine.asked == 2


def test_the_first_caller_hears_that_the_database_is_away_and_the_next_one_asks_again(
    clock: DatabaseClock, machine: Machine
) -> None:
    machine.is_away = True
    for ask in (clock.now, clock.is_steady):
        with pytest.raises(DatabaseUnavailable):
            ask()
    assert clock.last_known() is None
    machine.is_away = False
    assert abs(off(clock, machine)) < 0.001


@pytest.mark.parametrize("seconds", [EVERY, LONGEST_BELIEVED + 1, 3600.0])
def test_while_the_database_is_away_the_time_goes_on(clock: DatabaseClock, machine: Machine, seconds: float) -> None:
    clock.now()
    machine.is_away = True
    go_on(clock, machine, seconds)
    assert abs(off(clock, machine)) < 0.001
    assert machine.asked == 2, "and it is not asked again by each caller"


def test_what_is_old_is_measured_before_it_is_told(
    clock: DatabaseClock, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now()
    monkeypatch.setattr(database_clock, "Thread", None)
    machine.steady += LONGEST_BELIEVED + 1
    machine.database_ahead = 0.3
    assert off(clock, machine) == pytest.approx(0, abs=0.31)
    assert machine.asked == 2


@pytest.mark.parametrize("seconds", [-60.0, -0.6, 0.6, 60.0])
def test_a_database_clock_that_moved_is_followed_and_trusted_after_three_measurements(
    clock: DatabaseClock, machine: Machine, seconds: float
) -> None:
    go_on(clock, machine)
    machine.database_ahead += seconds
    steady = []
    for _ in range(4):
        go_on(clock, machine)
        assert abs(off(clock, machine)) < 0.001
        steady.append(clock.is_steady())
    assert steady == [False, False, True, True]
    assert machine.said[0] == {"event": "database clock moved", "seconds": pytest.approx(seconds, abs=0.001)}


def test_two_databases_that_answer_by_turns_are_never_trusted(clock: DatabaseClock, machine: Machine) -> None:
    clock.now()
    for turn in range(20):
        machine.database_ahead = 5.0 * (turn % 2)
        go_on(clock, machine)
        assert clock.is_steady() is (turn == 0)


def test_a_slow_answer_that_cannot_be_true_otherwise_shows_that_the_clock_moved(
    clock: DatabaseClock, machine: Machine
) -> None:
    clock.now()
    machine.database_ahead, machine.back = 30.0, 2.0
    go_on(clock, machine)
    assert not clock.is_steady()
    assert off(clock, machine) == pytest.approx(-1.0, abs=0.001)


def test_a_wall_clock_that_is_off_is_said_once_until_it_is_right_again_and_not_more_than_once_in_ten_minutes(
    clock: DatabaseClock, machine: Machine
) -> None:
    machine.wall_ahead = -12.0
    for _ in range(3):
        go_on(clock, machine)
    assert machine.said == [{"event": "clock off", "seconds": pytest.approx(-12.0, abs=0.001)}]

    for seconds in (EVERY, ALARM_AGAIN_AFTER):
        machine.wall_ahead = 0.4
        go_on(clock, machine)
        machine.wall_ahead = 5.0
        go_on(clock, machine, seconds)
        go_on(clock, machine)
    assert [one["seconds"] for one in machine.said[1:]] == [pytest.approx(5.0, abs=0.001)]
