"""Real processes of Pulse for tests: started with the command lines of the stack, and never left behind."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pulse_ops.stack import probes, processes
from pulse_ops.stack.child import Child, Program
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.processes import Listen
from tests.support.servers import start

LOOPBACK = "127.0.0.1"
# Where a gateway or a pulse that runs tells of itself, by the URL that it serves at.
WATCHED_AT: dict[str, str] = {}


def wait_until(condition: Callable[[], object], seconds: float = 20, what: str = "the condition") -> None:
    """Return once `condition()` is true; fail after `seconds`."""
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, f"{what} did not come true within {seconds} s"
        time.sleep(0.02)


@dataclass
class Processes:
    """Starts processes with one environment and ends all of them in `close`; servers listen on `address`.

    `tree`: the folder of the code, where it is not this one; PYTHONPATH has to name it too.
    """

    folder: Path
    environment: Mapping[str, str]
    address: str = LOOPBACK
    tree: Path | None = None
    children: list[Child] = field(default_factory=list)

    def worker_slices(self, **environment: str) -> Child:
        return self._worker("worker-slices", processes.worker_slices(), environment)

    def worker_control(self, **environment: str) -> Child:
        return self._worker("worker-control", processes.worker_control(), environment)

    def beat(self, **environment: str) -> Child:
        return self.run("beat", processes.beat(), probes.always, environment)

    def pulse(self, port: int = 0, **environment: str) -> tuple[Child, str]:
        """The process and its URL."""
        listen = Listen(self.address, port or free_port())
        return self._server("pulse", processes.pulse(listen), listen, "/health", environment)

    def gapi(self, port: int = 0, **environment: str) -> tuple[Child, str]:
        """The process and its URL; give PULSE_URL."""
        listen = Listen(self.address, port or free_port())
        return self._server("gapi", processes.gapi(listen), listen, "/health", environment)

    def exchange(self, ledger: Path | None = None, port: int = 0, **environment: str) -> tuple[Child, str]:
        """The process and its URL; a ledger given again carries on where it ended."""
        listen = Listen(self.address, port or free_port())
        command = processes.exchange(listen, str(ledger or self.folder / f"ledger-{listen.port}.sqlite"))
        return self._server("exchange", command, listen, "/_paper/health", environment)

    def run(self, name: str, command: tuple[str, ...], is_ready: probes.Probe, environment: Mapping[str, str]) -> Child:
        """Start any command and wait until `is_ready(pid)`."""
        program = Program(
            name=name,
            command=processes.executable(command),
            is_ready=is_ready,
            environment={**self.environment, **environment},
            folder=self.tree,
        )
        child = Child(program, self.folder / f"{name}-{len(self.children)}.log")
        self.children.append(child)
        start(child)
        return child

    def close(self) -> None:
        for child in reversed(self.children):
            child.ask_to_stop()
        ends_at = time.monotonic() + 15
        for child in reversed(self.children):
            child.wait(ends_at - time.monotonic())
            child.kill()

    def _worker(self, name: str, command: tuple[str, ...], environment: Mapping[str, str]) -> Child:
        return self.run(name, command, probes.waits_for_messages(self.environment["PULSE_QUEUE_URL"]), environment)

    def _server(
        self, name: str, command: tuple[str, ...], listen: Listen, path: str, environment: Mapping[str, str]
    ) -> tuple[Child, str]:
        url = f"http://{listen.host}:{listen.port}"
        watched = environment.get("PULSE_METRICS_PORT") or str(free_port())
        WATCHED_AT[url] = f"http://{listen.host}:{watched}"
        here = {**environment, "PULSE_METRICS_PORT": watched}
        return self.run(name, command, probes.http_ok(url + path), here), url


def in_a_child(run: Callable[[], object]) -> object:
    """What `run` returned in a forked process, as text; the process ends there without any cleaning up."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(run()).encode())
        except BaseException as error:
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as answer:
        return answer.read()
