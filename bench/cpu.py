"""CPU time and memory of processes, together with all that they have started."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Memory:
    """Bytes. `own` belongs to nobody else; `proportional` counts what is shared by the number of those who share it."""

    own: int
    proportional: int


@contextmanager
def cpu_taken(pids: Mapping[str, int]) -> Iterator[dict[str, float]]:
    """Seconds of CPU that each process took while the block ran; filled in when it ends.

    Children count, those that have ended meanwhile too: a Postgres is its backends.
    """
    taken: dict[str, float] = {}
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    yield taken
    taken.update({name: cpu_seconds(pid) - before[name] for name, pid in pids.items()})


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, of its living descendants, and of those it has waited for."""
    return sum(_own_seconds(process) for process in family(pid))


def per_operation(taken: Mapping[str, float], operations: int) -> dict[str, float]:
    """Milliseconds of CPU for each operation, by process."""
    return {name: seconds * 1000 / operations for name, seconds in taken.items()}


def memory_of(pid: int) -> Memory:
    """What a process and its descendants hold."""
    own = proportional = 0
    for process in family(pid):
        with suppress(psutil.Error):
            held = process.memory_full_info()
            own, proportional = own + held.uss, proportional + held.pss
    return Memory(own, proportional)


def own_bytes(pid: int) -> int:
    """Memory of a process and its descendants that belongs to nobody else (unique set size)."""
    return memory_of(pid).own


def family(pid: int) -> list[psutil.Process]:
    """The process and all its descendants; empty when it is gone."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _own_seconds(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0
