"""Every process that a benchmark starts: started together, paused, and never left behind."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from bench.cpu import family
from pulse_ops.stack.child import Child, Program, wait_until_ready

SERVERS = ("postgres", "redis")
ROOT = Path(__file__).parents[1]
_PATIENCE_SECONDS = 90.0
_END_SECONDS = 10.0


class BenchError(Exception):
    """A sentence that says why something could not be measured."""


class Children:
    """Processes by name. They end with this process, however it ends."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: dict[str, Child] = {}
        self._paused: set[str] = set()

    def start(self, programs: Sequence[Program]) -> None:
        """Start them side by side and wait until all are ready."""
        for program in programs:
            child = Child(program, self.log_of(program.name))
            self._children[program.name] = child
            child.start()
        for program in programs:
            child = self._children[program.name]
            if not wait_until_ready(child, _PATIENCE_SECONDS):
                raise BenchError(f"{program.name} did not become ready: {child.log_tail(5)}")

    def restart(self, name: str) -> None:
        """End one and start it again."""
        program = self._children[name].program
        self.stop([name])
        self.start([program])

    def stop(self, names: Iterable[str]) -> None:
        """End these, together, and kill what takes too long."""
        ending = [self._children.pop(name) for name in reversed(list(names)) if name in self._children]
        for child in ending:
            _signal_family(child, "resume")
            child.ask_to_stop()
        ends_at = time.monotonic() + _END_SECONDS
        for child in ending:
            child.wait(ends_at - time.monotonic())
            child.kill()
            self._paused.discard(child.program.name)

    def close(self) -> None:
        """End everything, the servers last: the others need them to the end."""
        servers = [name for name in SERVERS if name in self._children]
        self.stop([name for name in self._children if name not in SERVERS])
        self.stop(servers)

    def pids(self, names: Iterable[str]) -> dict[str, int]:
        """Process ids by name, of those that run."""
        found = {name: self._children[name].pid_if_alive for name in names if name in self._children}
        return {name: pid for name, pid in found.items() if pid is not None}

    def log_of(self, name: str) -> Path:
        """Where one writes what it has to say."""
        return self._logs / f"{name}.log"

    @contextmanager
    def paused(self, names: Iterable[str]) -> Iterator[None]:
        """Stop these in their tracks while the block runs, those that are not already."""
        pausing = [name for name in names if name in self._children and name not in self._paused]
        self._paused.update(pausing)
        for name in pausing:
            _signal_family(self._children[name], "suspend")
        try:
            yield
        finally:
            for name in pausing:
                self._paused.discard(name)
                if name in self._children:
                    _signal_family(self._children[name], "resume")

    def check_alive(self) -> None:
        """Raise BenchError when one has ended by itself."""
        for name, child in self._children.items():
            if not child.is_alive():
                raise BenchError(f"{name} ended by itself: {child.log_tail(5)}")


def _signal_family(child: Child, what: str) -> None:
    for process in family(child.pid) if child.pid else ():
        with suppress(psutil.Error):
            getattr(process, what)()
