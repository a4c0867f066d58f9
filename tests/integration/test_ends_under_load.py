"""SIGTERM while orders are traded: every process ends by itself in the time that it is given, and nothing is lost."""

import time
from collections.abc import Callable, Iterator, Mapping
from configparser import RawConfigParser
from pathlib import Path

import pytest
import requests
import yaml
from sqlalchemy import text

from pulse_core import queue
from pulse_core.queue import Wakeup
from pulse_core.tasks import Task
from pulse_ops.stack import probes
from pulse_ops.stack import processes as commands
from pulse_ops.stack.child import Child
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.processes import Listen
from tests.support import servers
from tests.support.factories import a_split_order, slices_of, without_pace
from tests.support.installation import SETTINGS, Installation
from tests.support.processes import LOOPBACK, Processes, wait_until

pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).parents[2]
# Many times what a worker has threads.
ORDERS, SLICES, SLOW_SECONDS = 2, 90, 1.5
# Of the slices worker.
THREADS = 32
# What each is called by systemd, in the compose file and in Kubernetes.
NAMES = {
    "gapi": ("pulse-gapi", "gapi", "gapi"),
    "pulse": ("pulse-api", "pulse", "pulse"),
    "worker-slices": ("pulse-worker-slices", "worker", "worker-slices"),
    "worker-control": ("pulse-worker-control", "worker-control", "worker-control"),
    "beat": ("pulse-beat", "beat", "beat"),
    "flower": ("pulse-flower", "flower", "flower"),
}
DOCKER_GIVES = "10s"


def given(unit: str, service: str, deployment: str) -> float:
    """The shortest time, in seconds, after which somebody kills it."""
    parser = RawConfigParser(strict=False)
    parser.read(ROOT / f"deploy/systemd/{unit}.service")
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    paths = (ROOT / "deploy/kubernetes").glob("*.yaml")
    manifests = [one for path in paths for one in yaml.safe_load_all(path.read_text()) if one["kind"] == "Deployment"]
    [pod] = [one["spec"]["template"]["spec"] for one in manifests if one["metadata"]["name"] == deployment]
    by_compose = services[service].get("stop_grace_period", DOCKER_GIVES)
    by_systemd = parser["Service"]["TimeoutStopSec"]
    return min(float(by_systemd), float(by_compose.removesuffix("s")), pod["terminationGracePeriodSeconds"])


GIVEN = {name: given(*names) for name, names in NAMES.items()}


@pytest.fixture
def processes(environment: dict[str, str], tmp_path: Path) -> Iterator[Processes]:
    started = Processes(tmp_path, {**environment, **SETTINGS})
    try:
        _, exchange_url = started.exchange()
        started.environment = {**started.environment, "PULSE_PAPER_EXCHANGE_URL": exchange_url}
        yield started
    finally:
        started.close()


def test_every_process_ends_in_its_time_while_placements_are_in_flight(
    clean_database: str, processes: Processes
) -> None:
    exchange_url = processes.environment["PULSE_PAPER_EXCHANGE_URL"]
    installation = Installation(processes.folder, processes.environment, None, clean_database, exchange_url)
    ports = free_port(), free_port()
    started = start_servers(processes, *ports) | {"beat": processes.beat(), "flower": flower(processes)}
    installation.gapi_url = f"http://{LOOPBACK}:{ports[0]}"

    suffer(exchange_url, {"fault": "slow", "seconds": SLOW_SECONDS})
    installation.trade(pause=0.3)
    wait_until(lambda: len(installation.trader.acknowledged) > 2, 20, "orders that come in")
    for _ in range(ORDERS):
        send_together(a_split_order(num_splits=SLICES, total_quantity=SLICES))
    wait_until(lambda: count(installation, "SENDING") >= THREADS, 20, "placements in flight")
    took, begun = end_together(started, lambda: attempts(installation))

    assert {name: child.exit_code for name, child in started.items()} == dict.fromkeys(GIVEN, 0)
    assert {name: seconds for name, seconds in took.items() if seconds > GIVEN[name]} == {}
    assert [name for name, child in started.items() if "Traceback" in child.log_path.read_text()] == []
    # No thread takes another slice. What was sent is recorded, and nobody has to ask the book about it.
    assert attempts(installation) - begun <= THREADS
    assert [count(installation, status) for status in ("SENDING", "UNKNOWN")] == [0, 0]
    assert (queue.depths() or {})["slices"] > 0

    suffer(exchange_url)
    start_servers(processes, *ports)
    installation.come_to_an_end()
    assert installation.broken_promises() == []


def start_servers(processes: Processes, gapi: int, pulse: int) -> dict[str, Child]:
    """All that an order needs, by name; gapi and pulse at these ports."""
    started = [
        processes.pulse(pulse)[0],
        processes.gapi(gapi, PULSE_URL=f"http://{LOOPBACK}:{pulse}")[0],
        processes.worker_control(),
        processes.worker_slices(),
    ]
    return {child.program.name: child for child in started}


def flower(processes: Processes) -> Child:
    listen = Listen(LOOPBACK, free_port())
    password = {"FLOWER_BASIC_AUTH": "operator:secret"}
    is_ready = probes.http_ok(f"http://{LOOPBACK}:{listen.port}/healthcheck")
    return processes.run("flower", commands.flower(listen), is_ready, password)


def suffer(exchange_url: str, *rules: Mapping[str, object]) -> None:
    requests.put(f"{exchange_url}/_paper/scenario", json={"rules": rules}, timeout=10).raise_for_status()


def send_together(order_id: str) -> None:
    """Have all slices of an order due now, each with a message of its own; its first one was due already."""
    without_pace(order_id)
    with servers.as_owner() as owner:
        due = """
            UPDATE order_slices SET scheduled_at = now(), due_at = now()
            WHERE order_id = :order_id AND scheduled_at > now()
        """
        owner.execute(text(due), {"order_id": order_id})
    queue.send([Wakeup(Task.EXECUTE_SLICE, (one.id,)) for one in slices_of(order_id)])


def count(installation: Installation, status: str) -> int:
    return int(installation.rows("SELECT count(*) FROM order_slices WHERE status = %s", (status,))[0][0])


def attempts(installation: Installation) -> int:
    return int(installation.rows("SELECT count(*) FROM placements")[0][0])


def end_together(children: Mapping[str, Child], look: Callable[[], int]) -> tuple[dict[str, float], int]:
    """How many seconds each went on after SIGTERM, and what was seen when all had got it.

    Fails when one goes on for longer than anybody waits.
    """
    began = time.monotonic()
    for child in children.values():
        child.ask_to_stop()
    seen, took = look(), dict[str, float]()
    while len(took) < len(children):
        seconds = time.monotonic() - began
        took |= {name: seconds for name, child in children.items() if name not in took and not child.is_alive()}
        assert seconds < 60, [child.log_tail() for name, child in children.items() if name not in took]
        time.sleep(0.02)
    return took, seen
