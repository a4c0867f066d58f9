"""A halt in the middle of a rush, judged by the exchange's ledger; whoever dies meanwhile, it is carried out."""

import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from api_contract.vocabulary import HaltedState, HaltedWorking, HaltStatus
from pulse_core.clock import utcnow
from pulse_core.owner import EveryAccount
from pulse_core.trading.halts.halting import halt, release
from pulse_core.trading.halts.receipt import HaltReport, halt_page, halt_report
from pulse_core.trading.store.halts import HaltScope
from pulse_ops import verify
from pulse_ops.paper_exchange.ledger import Ledger
from pulse_ops.stack.processes import executable
from pulse_ops.verify import broker_records, database
from pulse_ops.verify.facts import Facts
from tests.integration.test_workers import Floor, floor
from tests.support.factories import a_split_order
from tests.support.processes import wait_until

__all__ = ["floor"]

ALL = EveryAccount()
PATIENCE = 60
WORKING = 24
AT_THE_BROKER = (HaltedState.WORKING, HaltedState.UNKNOWN, HaltedState.CANCELLED, HaltedState.FILLED)


@pytest.fixture
def rush(floor: Floor) -> Floor:
    """Slices go out as fast as the exchange takes them; it fills a part of each, and the rest works there for long."""
    url = floor.processes.environment["PULSE_PAPER_EXCHANGE_URL"]
    scenario = {"rules": [{"fault": "partial_fill", "fraction": 0.2}]}
    assert requests.put(f"{url}/_paper/scenario", json=scenario, timeout=5).status_code == 200
    for _ in range(6):
        a_split_order(
            utcnow() - timedelta(seconds=20),
            total_quantity=400,
            num_splits=40,
            duration_minutes=2,
            slice_timeout_seconds=3600,
        )
    return floor


def live(floor: Floor) -> int:
    with Ledger(floor.ledger_path) as ledger:
        return sum(one.status == "OPEN" for one in ledger.orders())


def last_arrival(floor: Floor) -> datetime:
    return max(one.arrived_at for one in floor.arrivals())


def halt_all() -> HaltReport:
    return halt(ALL, HaltScope(), HaltedWorking.CANCEL, "prices make no sense", "ann", utcnow())[0]


def at_the_broker(report: HaltReport) -> int:
    return sum(report.slices[state].count for state in AT_THE_BROKER)


def follow(floor: Floor, halt_id: str) -> HaltReport:
    """Until it is quiet; at every moment the receipt has all of it that the exchange has not ended."""
    seen = 0

    def is_quiet() -> bool:
        nonlocal seen
        before = live(floor)
        report = halt_report(ALL, halt_id)
        assert at_the_broker(report) >= max(seen, before)
        seen = at_the_broker(report)
        if report.is_quiet:
            assert live(floor) == 0
        return report.is_quiet

    wait_until(is_quiet, PATIENCE, "a quiet halt")
    return halt_report(ALL, halt_id)


def broken_promises(floor: Floor) -> list[str]:
    facts = Facts(
        database.read(floor.processes.environment["DATABASE_URL"], "paper"),
        broker_records.from_ledger(floor.ledger_path),
        is_final=False,
        grace=timedelta(seconds=30),
    )
    # What works may do so for an hour here.
    return [str(one) for one in verify.broken_promises(facts) if one.promise != "nothing-forgotten"]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("floor", [10], indirect=True)
def test_within_a_second_nothing_new_arrives_and_all_that_works_is_called_back(rush: Floor) -> None:
    rush.processes.worker_slices()
    rush.processes.worker_control()
    rush.processes.beat()
    wait_until(lambda: live(rush) >= WORKING, PATIENCE, "many working slices")

    made = halt_all()
    ended = follow(rush, made.halt_id)

    assert last_arrival(rush) <= made.made_at + timedelta(seconds=1)
    assert ended.slices[HaltedState.CANCELLED].count >= WORKING
    assert ended.slices[HaltedState.UNSENT].count > 0
    with Ledger(rush.ledger_path) as ledger:
        found = ledger.orders()
    assert {one.status for one in found} == {"CANCELLED"}
    assert ended.slices[HaltedState.CANCELLED].count == len(found)
    assert ended.slices[HaltedState.CANCELLED].leaves_quantity == sum(
        one.quantity - one.filled_quantity for one in found
    )
    arrived = len(rush.arrivals())
    release(ALL, made.halt_id, "ann", utcnow())
    wait_until(lambda: len(rush.arrivals()) > arrived, PATIENCE, "a slice after the release")
    assert set(rush.placed().values()) == {1}
    assert broken_promises(rush) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("floor", [10], indirect=True)
def test_whoever_dies_in_the_middle_the_halt_is_carried_out(rush: Floor, tmp_path: Path) -> None:
    points = tmp_path / "failpoints"
    points.mkdir()
    (points / "halt.after_commit").write_text("kill")
    (points / "recall.before_ask").write_text("kill")
    slices = rush.processes.worker_slices()
    control = rush.processes.worker_control(PULSE_FAILPOINT=str(points))
    wait_until(lambda: live(rush) >= WORKING, PATIENCE, "many working slices")

    environment = {**rush.processes.environment, "PULSE_FAILPOINT": str(points)}
    command = executable(("pulse", "halt", "--all", "--reason", "prices make no sense"))
    assert subprocess.run(command, env=environment, timeout=60, check=False).returncode == -9
    slices.kill()
    wait_until(lambda: not control.is_alive(), PATIENCE, "the end of the one that called back")
    [made] = halt_page(ALL, is_released=False, limit=10, cursor=None).halts
    assert not made.is_quiet

    (points / "recall.after_ask").write_text("kill")
    second = rush.processes.worker_control(PULSE_FAILPOINT=str(points))
    rush.processes.worker_slices()
    wait_until(lambda: not second.is_alive(), PATIENCE, "the end of the second one")
    rush.processes.worker_control()
    ended = follow(rush, made.halt_id)

    assert ended.status is HaltStatus.ACTIVE
    assert last_arrival(rush) <= made.made_at + timedelta(seconds=1)
    assert ended.slices[HaltedState.CANCELLED].count >= WORKING
    assert set(rush.placed().values()) == {1}
    assert broken_promises(rush) == []
