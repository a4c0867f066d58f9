"""A process's wall clock goes by its file while it runs, and how long things take stays as it is."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rigs.chaos.clocks import Clocks, library
from tests.support import debian, lacking

SAY_THE_TIME = """import sys, time
for line in sys.stdin:
    began = time.monotonic()
    time.sleep(0.2)
    print(time.time(), time.monotonic() - began, flush=True)"""


@pytest.mark.parametrize("seconds", [12.0, -12.0])
def test_a_clock_is_moved_while_its_process_runs_and_set_right_again(tmp_path: Path, seconds: float) -> None:
    found = library()
    if found is None:
        lacking.skip("libfaketime is missing (Debian: faketime)", could_run=debian.may_install())
    clocks = Clocks(tmp_path, found)
    environment = {**os.environ, **clocks.variables("beat")}
    command = [sys.executable, "-c", SAY_THE_TIME]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert off(process) == pytest.approx(0, abs=1)
        with clocks.moved("beat", seconds):
            assert becomes(process, seconds)
        assert becomes(process, 0)


def off(process: "subprocess.Popen[str]") -> float:
    """How far the process's clock is ahead of ours."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("?\n")
    process.stdin.flush()
    says, took = map(float, process.stdout.readline().split())
    assert 0.2 <= took < 5
    return says - time.time()


def becomes(process: "subprocess.Popen[str]", seconds: float) -> bool:
    ends_at = time.monotonic() + 15
    while abs(off(process) - seconds) > 1:
        if time.monotonic() > ends_at:
            return False
    return True
