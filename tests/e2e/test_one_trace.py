"""One order's life by one id: real processes, what they log to their files, and what they send to a collector."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from click.testing import CliRunner
from sqlalchemy import update

from api_contract.spans import trace_of
from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.trading.tables import OrderSlice
from pulse_ops.cli import main
from tests.support.factories import order, without_pace
from tests.support.otlp import Step, steps
from tests.support.processes import Processes, wait_until
from tests.support.receiver import Receiver, running_receiver
from tests.support.tap import Tap, tapped
from tests.support.traders import a_trader

pytestmark = pytest.mark.timeout(240)

SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CLIENTS = SENT.split("-")[2]
SLICES = 2
REQUEST = {
    "order_unique_key": "followed",
    "instrument": "NSE:RELIANCE",
    "side": "BUY",
    "total_quantity": 20,
    "split_config": {"num_splits": SLICES, "duration_minutes": 1, "randomize": False},
}
DONE = ("database", "order IN_PROGRESS -> DONE")
TAKEN = [("pulse", "order accepted"), ("pulse", "request answered"), ("gapi", "request answered")]
WORKED = [
    ("pulse", "order accepted"),
    ("worker", "order split"),
    ("worker", "attempt came out"),
    DONE,
]
RECORDED = [
    ("database", "order PENDING"),
    ("database", "order PENDING -> IN_PROGRESS"),
    ("database", "SCHEDULED -> SENDING"),
    ("database", "broker_call"),
    ("database", "SENDING -> WORKING"),
    ("database", "fill"),
    ("database", "WORKING -> FILLED"),
]


# Each step by the service that takes it, with the one above it.
REQUEST_AT_GAPI = ("pulse-gapi", "SERVER", "POST /api/orders")
CALL_OF_PULSE = ("pulse-gapi", "CLIENT", "pulse")
REQUEST_AT_PULSE = ("pulse-pulse", "SERVER", "POST /internal/orders")
SPLIT = ("pulse-worker", "CONSUMER", "pulse.split_order")
EXECUTED = ("pulse-worker", "CONSUMER", "pulse.execute_slice")
PLACED = ("pulse-worker", "CLIENT", "broker place")
ABOVE = {
    REQUEST_AT_GAPI: None,
    CALL_OF_PULSE: REQUEST_AT_GAPI,
    REQUEST_AT_PULSE: CALL_OF_PULSE,
    SPLIT: REQUEST_AT_PULSE,
    EXECUTED: REQUEST_AT_PULSE,
    PLACED: EXECUTED,
}


@pytest.mark.usefixtures("clean_database")
def test_an_order_is_followed_by_one_id_from_the_gateway_to_the_broker(processes: Processes) -> None:
    with running_receiver() as collector, deployed(processes, collector) as (gapi_url, exchange):
        order_id = traded(gapi_url, processes.environment["DATABASE_URL"])
        check_timeline(traced(order_id, processes.folder))

        wait_until(lambda: are_all_there(exported(collector)), 30, "every step")
        found = exported(collector)
        check_parents(found)
        assert sorted(told_to(exchange)) == sorted((one.trace, one.id) for one in found if kind_of(one) == PLACED)


def check_timeline(told: Mapping[str, Any]) -> None:
    """Every process stands on one line of time, by one id."""
    moments = told["moments"]
    assert told["trace"]["request_id"] == "followed"
    assert {trace_of(one["traceparent"]) for one in moments if one["traceparent"]} == {trace_of(SENT)}
    assert in_order(TAKEN, moments), told
    for number in range(1, SLICES + 1):
        life = [one for one in moments if one["slice_number"] in (None, number)]
        # Each by its own clock: what is logged, and what the database records.
        assert in_order(WORKED, life), told
        assert in_order([*RECORDED, DONE], life), told
        (call,) = [one["detail"] for one in life if one["what"] == "broker_call"]
        (answer,) = [one["detail"] for one in life if one["what"] == "attempt came out"]
        assert call["answer"] == answer["broker_order_id"]


def exported(collector: Receiver) -> Sequence[Step]:
    """The steps of the order's trace by now."""
    return [one for one in steps(collector.deliveries) if one.trace == trace_of(SENT)]


def are_all_there(found: Sequence[Step]) -> bool:
    """A step is exported when it is over, often before the one above it."""
    ids = {CLIENTS, *(one.id for one in found)}
    placed = [one for one in found if kind_of(one) == PLACED]
    return (
        len(placed) == SLICES
        and {kind_of(one) for one in found} >= ABOVE.keys()
        and {one.parent for one in found} <= ids
    )


def check_parents(found: Sequence[Step]) -> None:
    """Each step is one that there should be, below the right one."""
    kinds = {CLIENTS: None, **{one.id: kind_of(one) for one in found}}
    assert {(kind_of(one), kinds[one.parent]) for one in found} == set(ABOVE.items())


def kind_of(step: Step) -> tuple[str, str, str]:
    return step.service, step.kind, step.name


def told_to(exchange: Tap) -> list[tuple[str, str]]:
    """Trace and step of every placement, as they came over the wire."""
    sent = b"".join(exchange.sent)
    heads = re.findall(rb"POST /orders/regular HTTP.*?\r\n\r\n", sent, re.DOTALL)
    parents = [re.search(r"traceparent: 00-(\w+)-(\w+)-01\r\n", head.decode()) for head in heads]
    return [parent.group(1, 2) for parent in parents if parent]  # type: ignore[misc]


@contextmanager
def deployed(processes: Processes, collector: Receiver) -> Iterator[tuple[str, Tap]]:
    """Every process of an installation, with the limits that users have; where its gateway is, and what brokers hear.

    Each sends its steps to the collector.
    """
    _, exchange_url = processes.exchange()
    with tapped(urlsplit(exchange_url).port or 0) as exchange:
        processes.environment = {
            **processes.environment,
            "PULSE_PAPER_EXCHANGE_URL": exchange.url,
            "PULSE_BROKER_ORDERS_PER_SECOND": "10",
            "PULSE_OTEL": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        processes.worker_control()
        processes.worker_slices()
        processes.beat()
        _, pulse_url = processes.pulse()
        _, gapi_url = processes.gapi(PULSE_URL=pulse_url)
        yield gapi_url, exchange


def traded(gapi_url: str, database_url: str) -> str:
    """The order of a client that traces it, once it is done; its second slice is hurried."""
    ids = {"X-Request-Id": "followed", "traceparent": SENT}
    ids |= {"Authorization": f"Bearer {a_trader(gapi_url, database_url).access_token()}"}
    placed = requests.post(f"{gapi_url}/api/orders", json=REQUEST, headers=ids, timeout=15)
    assert placed.status_code == 202, placed.text
    order_id: str = placed.json()["order_id"]
    wait_until(lambda: order(order_id).filled_quantity > 0, 60, "a fill")
    hurry(order_id)
    wait_until(lambda: order(order_id).status == "DONE", 60, "the end of the order")
    return order_id


def hurry(order_id: str) -> None:
    """What is left of it is due."""
    without_pace(order_id)
    with db.transaction() as session:
        session.execute(update(OrderSlice).where(OrderSlice.status == SliceStatus.SCHEDULED).values(due_at=utcnow()))


def traced(order_id: str, logs: Path) -> dict[str, Any]:
    """What `pulse trace` says."""
    result = CliRunner().invoke(main, ["trace", order_id, "--logs", str(logs), "--json"])
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def in_order(chain: Sequence[tuple[str, str]], moments: Sequence[dict[str, Any]]) -> bool:
    """Whether these stand among the moments, each after the one before it."""
    found = iter((one["source"], one["what"]) for one in moments)
    return all(link in found for link in chain)
