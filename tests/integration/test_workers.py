"""The real processes: workers and beat against the paper exchange, with messages lost and Redis away."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from api_contract.log import bound_trace
from api_contract.vocabulary import OrderResult, OrderStatus
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_ops.stack.child import Child
from tests.support import servers
from tests.support.factories import a_split_order, an_order, order, slices_of
from tests.support.floor import Floor, running_floor
from tests.support.processes import wait_until

PATIENCE = 40


@pytest.fixture
def floor(clean_database: str, environment: dict[str, str], tmp_path: Path) -> Iterator[Floor]:
    with running_floor(environment, tmp_path) as opened:
        yield opened


def log_lines(worker: Child, event: str) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in worker.log_path.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def connections(worker: Child) -> int:
    """Those of its process to Postgres."""
    assert worker.pid is not None
    port = urlsplit(settings().database_url.get_secret_value()).port
    return sum(one.raddr and one.raddr.port == port for one in psutil.Process(worker.pid).net_connections("tcp"))


def client_order_ids(order_id: str) -> set[str]:
    return {one.client_order_id or "" for one in slices_of(order_id)}


def test_an_accepted_order_is_split_by_a_worker_and_its_first_slice_reaches_the_exchange(floor: Floor) -> None:
    control, slices = floor.processes.worker_control(), floor.processes.worker_slices()

    with bound_trace({"request_id": "r-42", "trace_id": "t-42"}):
        order_id = an_order(duration_minutes=1, num_splits=3, randomize=True)
    wait_until(floor.placed, PATIENCE, "the first slice at the exchange")

    first, *others = slices_of(order_id)
    assert floor.placed() == {first.client_order_id: 1}
    assert [one.attempts for one in others] == [0, 0]
    (split,) = log_lines(control, "order split")
    assert (split["order_id"], split["request_id"], split["trace_id"]) == (order_id, "r-42", "t-42")
    wait_until(lambda: "WORKING" in [line["to"] for line in log_lines(slices, "slice moved")], PATIENCE)
    (working,) = [line for line in log_lines(slices, "slice moved") if line["to"] == "WORKING"]
    assert (working["slice_id"], working["request_id"]) == (first.id, "r-42")


def test_two_beats_work_an_order_to_its_end_and_place_each_slice_once(floor: Floor) -> None:
    floor.processes.worker_control()
    floor.processes.worker_slices()
    floor.processes.beat()
    floor.processes.beat()

    order_id = an_order(utcnow() - timedelta(seconds=55), duration_minutes=1, num_splits=4)
    wait_until(lambda: order(order_id).status is OrderStatus.DONE, PATIENCE, "the order's end")

    assert (order(order_id).result, order(order_id).filled_quantity) == (OrderResult.FILLED, 100)
    assert floor.placed() == dict.fromkeys(client_order_ids(order_id), 1)
    assert [one.attempts for one in slices_of(order_id)] == [1] * 4


def test_slices_whose_messages_were_flushed_are_taken_by_the_watch(floor: Floor) -> None:
    order_id = a_split_order(utcnow() - timedelta(minutes=2), duration_minutes=1)
    servers.empty_redis(floor.redis.url)

    floor.processes.worker_slices()
    wait_until(lambda: len(floor.placed()) == 5, PATIENCE, "all slices at the exchange")

    assert floor.placed() == dict.fromkeys(client_order_ids(order_id), 1)


def test_without_redis_due_slices_go_out_and_orders_end_and_afterwards_messages_are_taken_again(floor: Floor) -> None:
    slices, control = floor.processes.worker_slices(), floor.processes.worker_control()
    floor.redis.stop()

    order_id = a_split_order(utcnow() - timedelta(minutes=2), duration_minutes=1)
    wait_until(lambda: order(order_id).status is OrderStatus.DONE, PATIENCE, "the end of an order without Redis")
    assert floor.placed() == dict.fromkeys(client_order_ids(order_id), 1)

    floor.redis.start()
    wait_until(lambda: slices.is_ready() and control.is_ready(), PATIENCE, "workers waiting for messages again")
    accepted = an_order(duration_minutes=1, num_splits=2)
    wait_until(lambda: len(floor.placed()) == 6, PATIENCE, "a slice at the exchange after Redis came back")
    assert order(accepted).status is OrderStatus.IN_PROGRESS
    assert len(log_lines(slices, "overdue slices taken from the table")) >= 1


@pytest.mark.parametrize("floor", [5], indirect=True)
def test_two_workers_together_keep_the_limit_and_each_slice_takes_one_attempt(floor: Floor) -> None:
    floor.processes.worker_control()
    floor.processes.beat()
    for _ in range(2):
        floor.processes.worker_slices()

    order_ids = [an_order(utcnow() - timedelta(minutes=1), duration_minutes=1, num_splits=10) for _ in range(2)]
    wait_until(lambda: len(floor.placed()) == 20, PATIENCE, "all slices at the exchange")

    arrivals = floor.arrivals()
    assert [one.outcome for one in arrivals] == ["ACCEPTED"] * 20
    assert max(Counter(int(one.arrived_at.timestamp()) for one in arrivals).values()) <= 5
    wait_until(lambda: all(order(one).status is OrderStatus.DONE for one in order_ids), PATIENCE, "the orders' end")
    assert [one.attempts for order_id in order_ids for one in slices_of(order_id)] == [1] * 20


@pytest.mark.parametrize("floor", [5], indirect=True)
def test_without_control_worker_and_messages_a_slices_worker_gives_turns_and_uses_them(floor: Floor) -> None:
    order_id = a_split_order(utcnow() - timedelta(minutes=2), duration_minutes=1, num_splits=8)
    servers.empty_redis(floor.redis.url)

    slices = floor.processes.worker_slices()
    wait_until(lambda: len(floor.placed()) == 8, PATIENCE, "all slices at the exchange")

    assert floor.placed() == dict.fromkeys(client_order_ids(order_id), 1)
    assert {one.outcome for one in floor.arrivals()} == {"ACCEPTED"}
    assert log_lines(slices, "overdue slices taken from the table")
    # Its threads, of which there are four times as many, take turns with them; a few more were asked one question.
    most = settings().worker_database_pool_size + db.MOST_OVERFLOW
    wait_until(lambda: 0 < connections(slices) <= most, PATIENCE, "a worker with few connections")
