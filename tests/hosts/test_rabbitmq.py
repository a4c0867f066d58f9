"""An order trades with RabbitMQ as the queue, which is killed meanwhile, and whoever asks is told what waits in it."""

import json
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from celery import Celery
from click.testing import CliRunner

from pulse_core import queue
from pulse_core.queue import Wakeup
from pulse_core.tasks import Task
from pulse_ops.cli import main
from pulse_ops.doctor.findings import Trouble
from tests.support.arena import Arena, running_arena
from tests.support.processes import wait_until
from tests.support.rabbitmq import RunningRabbitMQ, running_rabbitmq

pytestmark = pytest.mark.timeout(400)

QUANTITY = 120
# One slice after the other, so that some are due while the queue is away, and after it is back.
STAGGER = """
    UPDATE orders SET most_per_interval = NULL, pace_interval = NULL WHERE id = %s;
    UPDATE order_slices SET scheduled_at = now() + sequence_number * interval '0.5 s',
        due_at = now() + sequence_number * interval '0.5 s' WHERE order_id = %s
"""
COUNT = "SELECT count(*) FROM order_slices WHERE order_id = %s AND status = 'FILLED'"


@pytest.fixture
def rabbitmq(tmp_path: Path) -> Iterator[RunningRabbitMQ]:
    folder = tmp_path / "rabbitmq"
    folder.mkdir()
    with running_rabbitmq(folder) as running:
        yield running


@pytest.fixture
def arena(
    environment: dict[str, str], clean_database: str, rabbitmq: RunningRabbitMQ, tmp_path: Path
) -> Iterator[Arena]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_QUEUE_URL", rabbitmq.url)
        patch.setattr(queue, "app", lambda: app_for(rabbitmq.url))
        with running_arena({**environment, "PULSE_QUEUE_URL": rabbitmq.url}, tmp_path) as opened:
            yield opened


@cache
def app_for(url: str) -> Celery:
    """As `queue.app` is in a process that was started with this queue."""
    app = Celery("pulse", config_source="celeryconfig", set_as_current=False)
    app.conf.broker_url, app.conf.broker_transport_options = url, {}
    return app


def test_an_order_trades_once_though_rabbitmq_is_killed_meanwhile(arena: Arena, rabbitmq: RunningRabbitMQ) -> None:
    # No worker has made the queues yet; who asks for what waits makes none either, which no worker could use.
    assert queue.depths() == {"slices": 0, "control": 0}
    workers = [arena.start("control"), arena.start("slices")]
    arena.start("pulse")
    order_id = an_order(arena, "before")
    wait_until(lambda: filled(arena, order_id) >= 2, 60, "slices placed by way of RabbitMQ")

    rabbitmq.child.kill()
    assert queue.depths() is None
    assert Trouble.QUEUE_AWAY in told_by_doctor()
    meanwhile = an_order(arena, "meanwhile")
    rabbitmq.start()

    wait_until(lambda: filled(arena, meanwhile) >= 1, 60, "slices placed by way of RabbitMQ again")
    arena.wait_until_final(90)
    assert arena.broken_promises() == []
    assert {filled(arena, order_id), filled(arena, meanwhile)} == {12}

    for worker in workers:
        worker.stop(20)
    queue.send([Wakeup(Task.EXECUTE_SLICE, (f"sl_{number}",)) for number in range(3)])
    wait_until(lambda: told_by_status()["slices"] == 3, 10, "three that wait for a worker")
    assert (queue.depths() or {})["slices"] == queue.slices_waiting() == 3
    assert Trouble.QUEUE_AWAY not in told_by_doctor()


def an_order(arena: Arena, key: str) -> str:
    """The id of an order of twelve slices, half a second apart, taken by pulse."""
    body = {
        "order_unique_key": key,
        "instrument": "NSE:RELIANCE",
        "side": "BUY",
        "total_quantity": QUANTITY,
        "split_config": {"num_splits": 12, "duration_minutes": 1, "randomize": False},
    }
    ends_at = time.monotonic() + 30
    while not (answer := arena.ask("POST", "/internal/orders", body)):
        assert time.monotonic() < ends_at, "pulse takes no order"
        time.sleep(0.2)
    order_id = str(answer.json()["order_id"])
    wait_until(lambda: arena.is_split(order_id), 60, "the split of the order")
    arena.rows(STAGGER, order_id, order_id)
    return order_id


def filled(arena: Arena, order_id: str) -> int:
    return int(arena.rows(COUNT, order_id)[0][0])


def told_by_status() -> dict[str, int | None]:
    queues: dict[str, int | None] = json.loads(CliRunner().invoke(main, ["status", "--json"]).stdout)["queues"]
    return queues


def told_by_doctor() -> list[str | None]:
    findings = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    return [one["trouble"] for one in findings]
