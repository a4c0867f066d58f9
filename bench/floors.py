"""The floors: what the same servers and the same pool do when there is nothing to do."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.children import ROOT, SERVERS, BenchError, Children
from bench.stack import Servers, Site
from pulse_ops.stack import probes, processes
from pulse_ops.stack.child import Program
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.processes import Listen

FRONT, KEPT, BACK, CELERY = "floor-front", "floor-kept-front", "floor-back", "floor-celery"
# What comes before the name of the command in the product's.
_PROGRAM = ("python", "-m", "pulse_tasks")
_REDIS_NUMBER = 15


class HttpFloor:
    """Bare Flask apps, each in the product's HTTP server with the product's options: two fronts before one back."""

    def __init__(self, site: Site, children: Children) -> None:
        self._children = children
        self.port, self.kept_port = free_port(), free_port()
        back = Listen("127.0.0.1", free_port())
        self._environment = {
            **os.environ,
            **site.environment,
            "PYTHONPATH": str(ROOT),
            "FLOOR_BACK_URL": f"http://{back.host}:{back.port}",
        }
        programs = [self._server(BACK, processes.pulse(back), back.port, "create_back")]
        for name, port, factory in ((FRONT, self.port, "create_front"), (KEPT, self.kept_port, "create_kept_front")):
            programs.append(self._server(name, processes.gapi(Listen("127.0.0.1", port)), port, factory))
        children.start(programs)

    def pids(self) -> dict[str, int]:
        return self._children.pids((FRONT, BACK))

    def kept_pids(self) -> dict[str, int]:
        return self._children.pids((KEPT, BACK))

    def _server(self, name: str, command: tuple[str, ...], port: int, factory: str) -> Program:
        return Program(
            name=name,
            command=processes.executable((*command[:-1], f"bench.floor_http:{factory}")),
            is_ready=probes.http_ok(f"http://127.0.0.1:{port}/health"),
            environment=self._environment,
            folder=ROOT,
        )


@dataclass(frozen=True)
class Started:
    """When a task began to run, and the instant it was sent or due, in seconds since the epoch."""

    reference: float
    at: float

    @property
    def delay_ms(self) -> float:
        return (self.at - self.reference) * 1000


class CeleryFloor:
    """A worker with the product's command line and settings, whose task does nothing."""

    def __init__(self, servers: Servers, site: Site, children: Children, folder: Path) -> None:
        self._children = children
        self._seen = folder / "floor-seen.jsonl"
        self._environment = {
            **os.environ,
            **site.environment,
            "PULSE_QUEUE_URL": servers.redis_url(_REDIS_NUMBER),
            "PYTHONPATH": str(ROOT),
            "FLOOR_SEEN": str(self._seen),
        }
        command = ("celery", "-A", "bench.floor_celery", *processes.worker_slices()[len(_PROGRAM) :])
        program = Program(
            name=CELERY,
            command=processes.executable(command),
            is_ready=probes.waits_for_messages(self._environment["PULSE_QUEUE_URL"]),
            environment=self._environment,
            folder=folder,
        )
        children.start([program])
        # The pool's threads start when they are needed: none of the measured tasks should wait for one.
        self.run([(0.0, None)] * 200, 30)

    def pids(self) -> dict[str, int]:
        return self._children.pids((CELERY, *SERVERS))

    def run(self, plan: Sequence[tuple[float, float | None]], seconds: float) -> list[Started]:
        """Send by plan (send at, eta) and return every start. Raises BenchError when one is missing in time."""
        self._seen.write_text("")
        self._publish(plan, seconds)
        return self._wait_for(len(plan), seconds)

    def run_full_queue(self, count: int, seconds: float) -> list[Started]:
        """The same for a queue that is full before the worker looks into it."""
        self._seen.write_text("")
        with self._children.paused([CELERY]):
            self._publish([(0.0, None)] * count, seconds)
        return self._wait_for(count, seconds)

    def _publish(self, plan: Sequence[tuple[float, float | None]], seconds: float) -> None:
        command = [sys.executable, "-m", "bench.floor_publish"]
        subprocess.run(
            command,
            input=json.dumps(plan),
            text=True,
            env=self._environment,
            cwd=ROOT,
            process_group=0,
            check=True,
            timeout=seconds,
        )

    def _wait_for(self, count: int, seconds: float) -> list[Started]:
        ends_at = time.monotonic() + seconds
        while True:
            lines = self._seen.read_text().splitlines()
            if len(lines) >= count:
                return [Started(*json.loads(line)) for line in lines]
            if time.monotonic() > ends_at:
                raise BenchError(f"the floor ran {len(lines)} of {count} tasks within {seconds:.0f} s")
            time.sleep(0.1)
