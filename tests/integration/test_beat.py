"""What beat asks for, and what it holds in memory."""

import subprocess
import sys
from collections.abc import Callable, Collection
from typing import Any

import pytest

from pulse_core.errors import DatabaseUnavailable
from pulse_core.tasks import PERIODS, Task

pytestmark = pytest.mark.usefixtures("environment")


def tick(monkeypatch: pytest.MonkeyPatch, look: Callable[[], Collection[Task]]) -> set[str]:
    """What the first tick of a beat sends."""
    from pulse_tasks import app, beat

    sent: list[str] = []
    monkeypatch.setattr(beat, "sweeps_with_work", look)
    monkeypatch.setattr(beat.LookingScheduler, "producer", None)
    monkeypatch.setattr(beat.LookingScheduler, "apply_async", lambda _self, entry, **_options: sent.append(entry.task))
    assert 0 <= beat.LookingScheduler(app).tick() <= 1
    return set(sent)


def test_beat_asks_only_for_sweeps_that_may_find_something(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tick(monkeypatch, lambda: {Task.WATCH_HOLD, Task.RECONCILE}) == {Task.WATCH_HOLD, Task.RECONCILE}


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), RuntimeError("a defect")])
def test_beat_asks_for_all_sweeps_while_nobody_can_look(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail() -> Any:
        raise error

    assert tick(monkeypatch, fail) == {task.value for task in PERIODS}


@pytest.mark.parametrize(("program", "unneeded"), [("beat", "pulse_core.sweeps"), ("flower", "sqlalchemy")])
def test_who_runs_no_task_holds_no_code_of_tasks(program: str, unneeded: str, environment: dict[str, str]) -> None:
    code = (
        f"import sys; sys.argv = ['celery', '-A', 'pulse_tasks', '{program}']\n"
        "import pulse_tasks\n"
        "assert pulse_tasks.app.conf.beat_schedule\n"
        "if 'beat' in sys.argv: pulse_tasks.app.loader.import_default_modules()\n"
        f"print(sorted({{'{unneeded}', 'pulse_tasks.sweeps', 'celery.worker'}} & sys.modules.keys()))"
    )

    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )

    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("program", "unneeded"),
    [
        ("worker", {"autobahn", "click_repl", "flower", "prompt_toolkit", "twisted"}),
        ("beat", {"celery.worker", "click_repl", "flower", "kiteconnect", "twisted"}),
        ("flower", {"celery.worker", "click_repl", "sqlalchemy", "twisted"}),
    ],
)
def test_a_process_loads_its_own_command_and_what_that_needs(
    program: str, unneeded: set[str], environment: dict[str, str]
) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['-m', '{program}', '--help']\n"
        "try: runpy.run_module('pulse_tasks', run_name='__main__')\n"
        "except SystemExit as ended: assert not ended.code, ended.code\n"
        "if 'worker' in sys.argv: import pulse_core.brokers.zerodha.broker, pulse_tasks.sweeps\n"
        f"print(sorted({unneeded!r} & sys.modules.keys()))"
    )

    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )

    assert told.stdout.startswith(f"Usage: python -m pulse_tasks {program}")
    assert told.stdout.splitlines()[-1] == "[]"
