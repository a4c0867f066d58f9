"""A host that vanishes says nothing: Postgres and those who talk to it have to notice by themselves, and soon."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.trading.slice.leases import expire_claims
from tests.support import hosts
from tests.support.distance import a_database, standing_on
from tests.support.factories import a_slice, a_split_order, slices_of
from tests.support.hosts import Host
from tests.support.processes import wait_until

FENCES = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
LEASE = 12
# One fence is idle when the host vanishes, the other one is about to be answered.
WORKER = """
import sys, threading, time
from sqlalchemy import text
from pulse_core import brokers, db
from pulse_core.errors import DatabaseUnavailable
from pulse_core.trading.slice.execute import execute_slice
from tests.support.broker import SimulatedBroker

broker = SimulatedBroker()
broker.wait_for_turn = lambda _seconds: print("claimed", flush=True) or time.sleep(600)
brokers.connect = lambda _account: broker
threading.Thread(target=execute_slice, args=(sys.argv[1],), daemon=True).start()
try:
    with db.fence("sl_1") as fence, fence.transaction() as session:
        print("fenced", flush=True)
        session.execute(text("SELECT pg_sleep(3)"))
except DatabaseUnavailable:
    print("gave up", flush=True)
time.sleep(600)
"""


@dataclass
class Distance:
    """A worker with two fences, on another host than its Postgres and this test."""

    host: Host
    worker: "subprocess.Popen[str]"
    slice_id: str


@pytest.fixture
def distance(environment: dict[str, str], tmp_path: Path) -> Iterator[Distance]:
    with (
        hosts.network("server", "client") as (server, client),
        standing_on(server),
        a_database(server, tmp_path) as url,
    ):
        first = slices_of(a_split_order())[0]
        far = {**environment, "DATABASE_URL": url, "PULSE_LEASE": str(LEASE)}
        worker = client.popen(sys.executable, "-c", WORKER, first.id, env=far, stdout=subprocess.PIPE)
        try:
            wait_for(worker, "claimed", "fenced")
            yield Distance(client, worker, first.id)
        finally:
            worker.kill()
            worker.communicate()


def wait_for(worker: "subprocess.Popen[str]", *words: str) -> None:
    """Read what the worker says, its log lines too, until it has said these words."""
    missing = set(words)
    while missing:
        assert worker.stdout is not None
        line = worker.stdout.readline()
        assert line, f"the worker ended before it said {missing}"
        missing.discard(line.strip())


def fences() -> int:
    with db.transaction() as session:
        return session.scalar(text(FENCES)) or 0


def test_the_fences_of_a_vanished_host_are_gone_in_20_s_and_its_slices_are_taken_up_in_30(distance: Distance) -> None:
    assert fences() == 2
    distance.host.fall_silent()
    vanished_at = time.monotonic()

    wait_until(lambda: fences() == 0, 20, "the end of the fences")
    wait_until(lambda: expire_claims(utcnow()), 30 - (time.monotonic() - vanished_at), "the end of the claim")

    assert a_slice(distance.slice_id).status is SliceStatus.UNKNOWN


def test_a_worker_whose_postgres_vanished_gives_up_in_20_s(distance: Distance) -> None:
    distance.host.fall_silent()
    vanished_at = time.monotonic()

    wait_for(distance.worker, "gave up")
    assert time.monotonic() - vanished_at < 20
