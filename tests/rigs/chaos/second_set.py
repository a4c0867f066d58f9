"""A second set of workers for a stack that runs, on its own host where there is one; kept running as the first set is.

`python -m tests.rigs.chaos.second_set DATA_DIR`, until SIGTERM.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import psutil

from pulse_ops.stack import launch, probes, processes, running
from pulse_ops.stack.child import Program
from pulse_ops.stack.leftovers import MARK
from pulse_ops.stack.supervisor import Supervisor
from tests.rigs.chaos.rigged_stack import ADDRESS, LOOPBACK, given_clocks, with_clock

PATIENCE_SECONDS = 90.0
QUEUES = {processes.WORKER_SLICES: "slices", processes.WORKER_CONTROL: "control"}
READY = "the second set of workers is ready"


@dataclass(frozen=True)
class SecondSet:
    """The process that keeps the workers running."""

    process: subprocess.Popen[str]

    def workers(self, name: str) -> list[psutil.Process]:
        """The worker of this name, if it runs just now."""
        children = psutil.Process(self.process.pid).children()
        return [one for one in children if f"{QUEUES[name]}-2@%h" in one.cmdline()]

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def start_second_set(data_dir: Path, environment: dict[str, str], prefix: Sequence[str]) -> SecondSet:
    """Start the workers, with `prefix` before their command, and wait until both are ready; they end with us."""
    me = (sys.executable, "-m", "tests.rigs.chaos.second_set", str(data_dir))
    ends_with_us = (sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), "15", "-1", "-1")
    with (data_dir / "second.log").open("ab") as log:
        process = subprocess.Popen(
            [*ends_with_us, *prefix, *me], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said.strip() == READY, (data_dir / "second.log").read_text()
    return SecondSet(process)


def main(data_dir: Path) -> None:
    supervisor = Supervisor(data_dir / "logs", lambda line: click.echo(line, err=True), longest_pause=1.0)
    supervisor.stop_on_signals()
    try:
        supervisor.start(programs(data_dir), PATIENCE_SECONDS)
        click.echo(READY)
        supervisor.run(changed=lambda: None)
    finally:
        supervisor.stop(servers=0)


def programs(data_dir: Path) -> list[Program]:
    """Both workers, with the stack's own commands and variables but for names and addresses."""
    shared = running.find(data_dir).environment
    if address := os.environ.get(ADDRESS):
        shared = {name: value.replace(LOOPBACK, address) for name, value in shared.items()}
    variables = {
        **os.environ,
        **shared,
        "PULSE_LOG_FORMAT": "json",
        "PYTHONUNBUFFERED": "1",
        MARK: str(data_dir.resolve()),
    }
    commands = {
        processes.WORKER_SLICES: processes.worker_slices(),
        processes.WORKER_CONTROL: processes.worker_control(),
    }
    is_ready, clocks = probes.waits_for_messages(shared["PULSE_QUEUE_URL"]), given_clocks()
    return [
        with_clock(Program(second(name), renamed(command), is_ready, variables, folder=data_dir), clocks)
        for name, command in commands.items()
    ]


def second(name: str) -> str:
    """The name of the second process of this name."""
    return f"{name}-2"


def renamed(command: tuple[str, ...]) -> tuple[str, ...]:
    """The worker under a name of its own: the first one may run on a machine of the same name."""
    return tuple(part.replace("@%h", "-2@%h") for part in processes.executable(command))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
