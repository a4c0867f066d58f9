"""Whole stacks for tests: `pulse up` as a process of its own, on free ports and in a folder of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from pulse_ops.stack import running
from pulse_ops.stack.errors import NotRunning
from pulse_ops.stack.leftovers import MARK
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.running import RunningStack
from tests.support.processes import wait_until

PULSE = str(Path(sys.executable).with_name("pulse"))
UP = (PULSE, "up")
PORTS = (
    *("PULSE_GAPI_PORT", "PULSE_PULSE_PORT", "PULSE_EXCHANGE_PORT", "PULSE_FLOWER_PORT"),
    *("PULSE_GAPI_METRICS_PORT", "PULSE_PULSE_METRICS_PORT"),
    *("PULSE_SLICES_METRICS_PORT", "PULSE_CONTROL_METRICS_PORT", "PULSE_BEAT_METRICS_PORT"),
)
OWN_SERVERS = ("DATABASE_URL", "PULSE_QUEUE_URL")


def outer_environment() -> dict[str, str]:
    """The variables of this process without the servers of its own tests, which are not those of a stack."""
    return {name: value for name, value in os.environ.items() if name not in OWN_SERVERS}


@dataclass
class Stack:
    """A `pulse up` and where it keeps its things."""

    data_dir: Path
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def state(self) -> RunningStack:
        return running.find(self.data_dir)

    @property
    def gapi(self) -> str:
        return self.state.urls["gapi"]

    @property
    def gapi_watched(self) -> str:
        """Where the gateway tells of itself."""
        return self.state.urls["metrics-gapi"].removesuffix("/metrics")

    def is_ready(self) -> bool:
        try:
            return self.state.is_ready
        except NotRunning:
            return False

    def pid_of(self, name: str) -> int | None:
        return next(one.pid for one in self.state.processes if one.name == name)

    def text(self) -> str:
        return self.output.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 20) -> int:
        """Send the signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)


def environment_for(data_dir: Path) -> dict[str, str]:
    """Variables of a stack with free ports, untouched by what other tests have set."""
    inherited = outer_environment()
    inherited = {
        name: value for name, value in inherited.items() if not name.startswith("PULSE_") or name == "PULSE_CI_RUN"
    }
    return inherited | {name: str(free_port()) for name in PORTS} | {"PULSE_DATA_DIR": str(data_dir)}


@contextmanager
def running_stack(
    data_dir: Path, environment: dict[str, str] | None = None, command: Sequence[str] = UP
) -> Iterator[Stack]:
    """A ready stack, ended with everything it started when the block is left."""
    data_dir.mkdir(parents=True, exist_ok=True)
    output = data_dir / "terminal.log"
    output.touch(mode=0o600)
    with output.open("ab") as terminal:
        process = subprocess.Popen(
            command, env=environment or environment_for(data_dir), stdout=terminal, stderr=terminal
        )
    stack = Stack(data_dir, process, output)
    try:
        wait_until(lambda: process.poll() is not None or stack.is_ready(), 100, "a ready stack")
        assert process.poll() is None, stack.text()
        yield stack
    finally:
        if process.poll() is None:
            stack.end()


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Every process that works in or for this data folder."""
    here = str(data_dir.resolve())
    return [process for process in psutil.process_iter() if _belongs_to(process, here)]


def _belongs_to(process: psutil.Process, here: str) -> bool:
    try:
        return process.cwd().startswith(here) or process.environ().get(MARK) == here
    except (psutil.Error, OSError):
        return False
