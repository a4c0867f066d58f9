"""The switch that kills a process is for tests with the paper exchange, and does nothing anywhere else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

KEYS = {"DATABASE_URL": "postgresql://nowhere", "REDIS_URL": "redis://nowhere", "PULSE_SERVICE_TOKEN_KEY": "k" * 32}
PASS_TWICE = "from pulse_core.failpoints import failpoint as f; f('here'); f('here'); print('alive')"


def run(**environment: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if name != "PULSE_FAILPOINT"}
    command = [sys.executable, "-c", PASS_TWICE]
    return subprocess.run(command, env={**inherited, **KEYS, **environment}, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("stated", ["here=kill:{}", "there=kill:/nowhere,here=kill:{}"])
def test_a_process_is_killed_at_its_point_and_its_successor_is_not(tmp_path: Path, stated: str) -> None:
    variable = stated.format(tmp_path / "marker")

    assert run(PULSE_FAILPOINT=variable).returncode == -signal.SIGKILL
    assert run(PULSE_FAILPOINT=variable).stdout == "alive\n"


def test_without_the_variable_nothing_happens() -> None:
    assert run().stdout == "alive\n"


def test_with_a_real_broker_the_variable_is_ignored_with_one_line_that_says_so(tmp_path: Path) -> None:
    ended = run(PULSE_FAILPOINT=f"here=kill:{tmp_path / 'marker'}", BROKER="zerodha")

    assert ended.stdout.splitlines()[-1] == "alive"
    assert (ended.stdout + ended.stderr).count("failpoints ignored") == 1
