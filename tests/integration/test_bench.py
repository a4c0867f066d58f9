"""The benchmark as a command, and what it times in a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from prometheus_client import REGISTRY

from bench import slice_timer
from bench.slice_timer import Counting
from pulse_core import brokers
from pulse_core.metrics import notes, switch
from pulse_core.metrics.broker_calls import Measured
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_slice, a_split_order, slices_of
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


@pytest.mark.parametrize("counting", list(Counting))
def test_a_slice_that_is_timed_is_placed_and_counted_when_it_should_be(
    counting: Counting, broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "is_on", lambda: True)
    monkeypatch.setattr(brokers, "reachable", lambda: [Measured(broker)])
    placed = slices_of(a_split_order())[0]
    before = counted()

    assert slice_timer.milliseconds(counting, placed.id) > 0

    assert a_slice(placed.id).status == "WORKING"
    assert [after - one for after, one in zip(counted(), before, strict=True)] == [counting is Counting.ON] * 3


def counted() -> list[float]:
    """What this process has counted of slices that it placed."""
    names = (
        ("pulse_broker_calls_total", {"call": "place", "outcome": "acknowledged"}),
        ("pulse_slice_moves_total", {"status": "WORKING"}),
        ("pulse_slice_lateness_seconds_count", {"behind": "due"}),
    )
    notes.add_up()
    return [REGISTRY.get_sample_value(name, labels) or 0.0 for name, labels in names]


def names_below(process: psutil.Process) -> str:
    """The command lines of all that it has started."""
    found = []
    for child in process.children(recursive=True):
        try:
            found.append(" ".join(child.cmdline()))
        except psutil.Error:
            continue
    return "\n".join(found)
