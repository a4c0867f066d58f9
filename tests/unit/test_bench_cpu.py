"""CPU and memory of processes, with all that they have started."""

import os
import subprocess
import sys

from bench.cpu import cpu_seconds, cpu_taken, family, memory_of, own_bytes, per_operation

# What is spun beyond the 0.2 s that are looked for is for the system, which counts user and system time of each
# process in whole ticks of its clock.
_SPIN = (
    "import time; ends = time.process_time() + 0.3\nwhile time.process_time() < ends: pass\nprint('spun', flush=True)"
)
# Runs what it is given, and waits for it, at every line that it is told.
_KEEPER = "import subprocess, sys\nfor _ in sys.stdin: print(subprocess.run(sys.argv[1:]).returncode, flush=True)"


def test_costs_are_milliseconds_of_each_operation() -> None:
    assert per_operation({"gapi": 1.5, "pulse": 0.0}, 300) == {"gapi": 5.0, "pulse": 0.0}


def test_a_child_that_has_ended_still_counts() -> None:
    # A process of its own has no other children, whose ends would be taken off.
    keeper = [sys.executable, "-S", "-c", _KEEPER, sys.executable, "-S", "-c", _SPIN]
    with subprocess.Popen(keeper, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        with cpu_taken({"parent": parent.pid}) as taken:
            parent.stdin.write("spin\n")
            parent.stdin.flush()
            assert [parent.stdout.readline() for _ in range(2)] == ["spun\n", "0\n"]
        parent.stdin.close()

    assert taken["parent"] >= 0.2


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
