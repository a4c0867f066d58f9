"""The switch that kills a process is for tests with the paper exchange, and does nothing anywhere else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

KEYS = {"DATABASE_URL": "postgresql://nowhere", "PULSE_QUEUE_URL": "redis://nowhere"}
ZERODHA = {"PULSE_BROKER": "zerodha", "KITE_API_KEY": "k1", "KITE_ACCESS_TOKEN": "t1", "KITE_API_SECRET": "s1"}
PASS_TWICE = "from pulse_core.failpoints import failpoint as f; f('here'); f('here'); print('alive')"


def run(**environment: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if name != "PULSE_FAILPOINT"}
    command = [sys.executable, "-c", PASS_TWICE]
    return subprocess.run(command, env={**inherited, **KEYS, **environment}, capture_output=True, text=True, timeout=30)


def test_a_process_is_killed_at_its_point_and_its_successor_is_not(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("kill")
    (tmp_path / "there").write_text("kill")

    assert run(PULSE_FAILPOINT=str(tmp_path)).returncode == -signal.SIGKILL
    assert run(PULSE_FAILPOINT=str(tmp_path)).stdout == "alive\n"


def test_without_the_variable_nothing_happens() -> None:
    assert run().stdout == "alive\n"


def test_with_a_real_broker_the_variable_is_ignored_with_one_line_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("kill")

    ended = run(PULSE_FAILPOINT=str(tmp_path), **ZERODHA)

    assert ended.stdout.splitlines()[-1] == "alive"
    assert (ended.stdout + ended.stderr).count("failpoints ignored") == 1
