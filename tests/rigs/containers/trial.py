"""What a user does with docker-compose.yml, while each of its containers is killed: an order, filled once."""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from tests.rigs.containers.engine import Engine
from tests.support.bootstrap import ROOT, copy_checkout

SHARES, SLICES, MINUTES = 1000, 40, 2
BETWEEN_KILLS_SECONDS = 6.0
HEALTHY_WITHIN_SECONDS = 120.0
DONE_WITHIN_SECONDS = 240.0
Say = Callable[[str], None]


class Failed(Exception):
    """What did not happen as it should."""


class Deployment:
    """The project of docker-compose.yml below /src/pulse of the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def copy(self) -> None:
        """What git knows of this checkout, changes included, and a .env as docs/deployment.md makes it."""
        there = self._engine.source / "pulse"
        copy_checkout(there)
        env = there / ".env"
        env.touch(0o600)
        env.write_text(_secrets())

    def compose(self, *arguments: str) -> str:
        return self._engine.run("docker", "compose", "--project-directory", "/src/pulse", *arguments)

    def pulse(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """A `pulse` command in the workshop."""
        handed_on = [f"--env={name}={value}" for name, value in (env or {}).items()]
        return self.compose("run", "--rm", "--no-TTY", "--no-deps", *handed_on, "workshop", "pulse", *arguments)

    def containers(self) -> dict[str, str]:
        """Whether each service that runs is healthy, by its name."""
        lines = self.compose("ps", "--format", "json").splitlines()
        return {row["Service"]: row["Health"] for row in map(json.loads, lines)}

    def kill(self, service: str) -> None:
        """End process 1 of its container by SIGKILL: of what `docker kill` ends, Docker starts nothing again."""
        container = self.compose("ps", "--quiet", service).strip()
        process = self._engine.run("docker", "inspect", "--format", "{{.State.Pid}}", container).strip()
        self._engine.run("sh", "-c", f"kill -9 {process}")

    def wait_until_healthy(self, services: set[str]) -> None:
        deadline = time.monotonic() + HEALTHY_WITHIN_SECONDS
        while time.monotonic() < deadline:
            seen = self.containers()
            if services <= seen.keys() and set(seen.values()) <= {"healthy"}:
                return
            time.sleep(1)
        raise Failed(f"not healthy after {HEALTHY_WITHIN_SECONDS:g} s: {self.containers()}")


def trade_and_kill(deployment: Deployment, say: Say) -> None:
    """Place an order, kill every container meanwhile, and judge what came of it. Raises Failed."""
    password = json.loads(deployment.pulse("users", "add", "alice", "--generate", "--json"))["password"]
    alice = {"PULSE_USERNAME": "alice", "PULSE_PASSWORD": password}
    terms = ("--instrument", "NSE:RELIANCE", "--side", "BUY", "--quantity", str(SHARES))
    times = ("--splits", str(SLICES), "--minutes", str(MINUTES), "--json")
    order_id = json.loads(deployment.pulse("orders", "place", *terms, *times, env=alice))["order_id"]
    services = deployment.containers().keys()
    for service in sorted(services):
        say(f"kills {service}")
        deployment.kill(service)
        time.sleep(BETWEEN_KILLS_SECONDS)
    deployment.wait_until_healthy(set(services))
    say("all are healthy again")
    order = _wait_for_the_end(deployment, order_id, alice)
    say(f"the order is {order['status']}: {order['filled_quantity']} of {order['total_quantity']} shares")
    if order["filled_quantity"] != SHARES:
        raise Failed(f"{order['filled_quantity']} of {SHARES} shares were filled")
    say(deployment.pulse("verify", "--final").strip())
    deployment.pulse("status")


def _wait_for_the_end(deployment: Deployment, order_id: str, alice: Mapping[str, str]) -> dict[str, object]:
    deadline = time.monotonic() + DONE_WITHIN_SECONDS
    while time.monotonic() < deadline:
        shown = json.loads(deployment.pulse("orders", "show", order_id, "--json", env=alice))
        order: dict[str, object] = shown["order"]
        if order["status"] == "DONE":
            return order
        time.sleep(2)
    raise Failed(f"the order has not ended after {DONE_WITHIN_SECONDS:g} s: {order}")


def _secrets() -> str:
    passwords = ("POSTGRES_PASSWORD", "POSTGRES_SERVICES_PASSWORD", "REDIS_PASSWORD")
    chosen = [f"{name}={secrets.token_hex(32)}" for name in passwords]
    chosen.append(f"FLOWER_BASIC_AUTH=operator:{secrets.token_hex(16)}")
    make = (sys.executable, "-c", "from pulse_ops.cli import main; main()", "keys", "make")
    return "\n".join((*chosen, subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout))
