"""When beat asks for which sweep, by a clock that the test moves."""

from pulse_core.tasks import Task
from tests.support.clock import ManualClock


def asked_at(seconds: range, clock: ManualClock) -> dict[Task, list[int]]:
    # Imported here: it reads the environment.
    from pulse_tasks.beat import Rounds

    rounds = Rounds({Task.TRACK_SLICES: 1, Task.WATCH_HOLD: 3}, clock.monotonic)
    found: dict[Task, list[int]] = {Task.TRACK_SLICES: [], Task.WATCH_HOLD: []}
    for second in seconds:
        for task in rounds.due():
            found[task].append(second)
        clock.sleep(seconds.step)
    return found


def test_each_sweep_is_due_at_the_start_and_then_in_its_period_all_of_them_together() -> None:
    assert asked_at(range(8), ManualClock()) == {
        Task.TRACK_SLICES: [0, 1, 2, 3, 4, 5, 6, 7],
        Task.WATCH_HOLD: [0, 3, 6],
    }


def test_a_beat_that_was_held_up_does_not_make_up_for_what_it_missed() -> None:
    assert asked_at(range(0, 30, 10), ManualClock()) == {Task.TRACK_SLICES: [0, 10, 20], Task.WATCH_HOLD: [0, 10, 20]}


def test_a_beat_sleeps_until_the_next_sweep_is_due() -> None:
    from pulse_tasks.beat import Rounds

    clock = ManualClock()
    rounds = Rounds({Task.RESOLVE_SLICES: 2, Task.WATCH_HOLD: 3}, clock.monotonic)
    rounds.due()
    assert rounds.seconds_left() == 2
    clock.sleep(1.5)
    assert rounds.seconds_left() == 0.5
    clock.sleep(9)
    assert rounds.seconds_left() == 0
