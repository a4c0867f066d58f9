"""CPU and memory of processes, with all that they have started."""

import os
import subprocess
import sys

from bench.cpu import cpu_seconds, cpu_taken, family, memory_of, own_bytes, per_operation

_SPIN = (
    "import time; ends = time.process_time() + 0.2\nwhile time.process_time() < ends: pass\nprint('spun', flush=True)"
)


def test_costs_are_milliseconds_of_each_operation() -> None:
    assert per_operation({"gapi": 1.5, "pulse": 0.0}, 300) == {"gapi": 5.0, "pulse": 0.0}


def test_a_child_that_has_ended_still_counts() -> None:
    with cpu_taken({"me": os.getpid()}) as taken:
        subprocess.run([sys.executable, "-S", "-c", _SPIN], check=True, capture_output=True)

    assert taken["me"] >= 0.2


def test_a_child_that_lives_counts_once() -> None:
    command = [sys.executable, "-S", "-c", f"{_SPIN}\ninput()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        members = [process.pid for process in family(os.getpid())]
        spent = cpu_seconds(child.pid)
        child.stdin.close()

    assert members.count(child.pid) == 1
    assert 0.2 <= spent < 2


def test_memory_that_is_shared_is_divided() -> None:
    memory = memory_of(os.getpid())

    assert 0 < memory.own <= memory.proportional
    assert own_bytes(os.getpid()) > 0


def test_a_process_that_is_gone_takes_nothing() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "pass"]) as child:
        child.wait()

    assert (cpu_seconds(child.pid), own_bytes(child.pid)) == (0, 0)
