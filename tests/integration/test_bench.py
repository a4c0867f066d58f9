"""The benchmark as a command."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.support.processes import wait_until
from tests.support.stacks import outer_environment

ROOT = Path(__file__).parents[2]


def test_an_interrupted_benchmark_leaves_no_process_and_no_folder_behind(tmp_path: Path) -> None:
    inherited = outer_environment()
    command = [
        sys.executable,
        "-m",
        "bench",
        "--quick",
        "--only",
        "wakeup",
        "--results",
        str(tmp_path / "results.json"),
    ]
    with subprocess.Popen(command, cwd=ROOT, env=inherited | {"TMPDIR": str(tmp_path)}) as bench:
        started = psutil.Process(bench.pid)
        try:
            wait_until(lambda: "granian" in names_below(started), 60, "a started product")
            children = started.children(recursive=True)
            bench.send_signal(signal.SIGINT)
            bench.wait(60)
        finally:
            bench.kill()

    _gone, left = psutil.wait_procs(children, timeout=10)
    assert left == []
    assert list(tmp_path.iterdir()) == []


def names_below(process: psutil.Process) -> str:
    """The command lines of all that it has started."""
    found = []
    for child in process.children(recursive=True):
        try:
            found.append(" ".join(child.cmdline()))
        except psutil.Error:
            continue
    return "\n".join(found)
