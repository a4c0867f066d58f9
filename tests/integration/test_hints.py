"""A hint at a broker order is one message: what works and what is in doubt are looked at for it."""

import pytest

from pulse_core.brokers.port import BookUnavailable
from pulse_core.tasks import Task

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Task, str]]:
    """What was run, and with which hint."""
    from pulse_tasks import sweeps

    made: list[tuple[Task, str]] = []
    monkeypatch.setattr(sweeps.runner, "run", lambda task, hint="", is_tick=False: made.append((task, hint)))
    return made


def ask(hint: str, *, is_tick: bool = False) -> None:
    from pulse_tasks import app

    app.tasks[Task.TRACK_SLICES.value].run(hint, is_tick)


def test_a_hint_has_working_slices_and_those_in_doubt_looked_at(runs: list[tuple[Task, str]]) -> None:
    ask("151220000000000")
    assert runs == [(Task.TRACK_SLICES, "151220000000000"), (Task.RESOLVE_SLICES, "")]


def test_a_tick_has_working_slices_looked_at(runs: list[tuple[Task, str]]) -> None:
    ask("", is_tick=True)
    assert runs == [(Task.TRACK_SLICES, "")]


def test_what_is_in_doubt_is_looked_at_even_if_the_other_look_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from pulse_tasks import sweeps

    made: list[Task] = []

    def run(task: Task, _hint: str = "", is_tick: bool = False) -> None:
        made.append(task)
        if task is Task.TRACK_SLICES:
            raise BookUnavailable("MALFORMED", "away")

    monkeypatch.setattr(sweeps.runner, "run", run)
    with pytest.raises(BookUnavailable):
        ask("151220000000000")
    assert made == [Task.TRACK_SLICES, Task.RESOLVE_SLICES]
