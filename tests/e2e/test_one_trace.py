"""One order's life by one id: real processes, what they log to their files, and the line of time made of it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
from tests.support.processes import Processes, wait_until
from tests.support.traders import a_trader

pytestmark = pytest.mark.timeout(240)

SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REQUEST = {
    "order_unique_key": "followed",
    "instrument": "NSE:RELIANCE",
    "side": "BUY",
    "total_quantity": 20,
    "split_config": {"num_splits": 2, "duration_minutes": 1, "randomize": False},
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


@pytest.mark.usefixtures("clean_database")
def test_an_order_is_followed_by_one_id_from_the_gateway_to_the_broker(processes: Processes) -> None:
    gapi_url = deployed(processes)
    order_id = traded(gapi_url, processes.environment["DATABASE_URL"])

    told = traced(order_id, processes.folder)
    moments = told["moments"]
    assert told["trace"]["request_id"] == "followed"
    assert {trace_of(one["traceparent"]) for one in moments if one["traceparent"]} == {trace_of(SENT)}
    assert in_order(TAKEN, moments), told
    for number in (1, 2):
        life = [one for one in moments if one["slice_number"] in (None, number)]
        # Each by its own clock: what is logged, and what the database records.
        assert in_order(WORKED, life), told
        assert in_order([*RECORDED, DONE], life), told
        (call,) = [one["detail"] for one in life if one["what"] == "broker_call"]
        (answer,) = [one["detail"] for one in life if one["what"] == "attempt came out"]
        assert call["answer"] == answer["broker_order_id"]


def deployed(processes: Processes) -> str:
    """Every process of an installation, with the limits that users have; where its gateway is."""
    _, exchange_url = processes.exchange()
    at_the_broker = {"PULSE_PAPER_EXCHANGE_URL": exchange_url, "PULSE_BROKER_ORDERS_PER_SECOND": "10"}
    processes.environment = {**processes.environment, **at_the_broker}
    processes.worker_control()
    processes.worker_slices()
    processes.beat()
    _, pulse_url = processes.pulse()
    _, gapi_url = processes.gapi(PULSE_URL=pulse_url)
    return gapi_url


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
