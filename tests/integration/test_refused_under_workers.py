"""Real workers and an account that is refused in mid-order: nothing is spent, one alarm, all of it filled in time."""

import secrets
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import requests
from sqlalchemy import func, select

from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus
from pulse_core import config, db, queue
from pulse_core.broker_accounts import credentials, directory
from pulse_core.broker_accounts.tables import BrokerAccount
from pulse_core.clock import utcnow
from pulse_core.tasks import Task
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import alarms
from pulse_core.trading.store.alarms import AlarmFilters
from pulse_core.trading.tables import Placement
from pulse_core.trading.vocabulary import PlacementOutcome
from tests.integration.test_broker_logins import PAPER, REDIRECT, add_account, log_in
from tests.support.exchange import ACCESS_TOKEN, API_KEY, API_SECRET, RunningExchange, start_exchange
from tests.support.factories import a_split_order, order, slices_of
from tests.support.processes import WATCHED_AT, Processes, wait_until
from tests.support.stacks import PULSE

INDIA = ZoneInfo("Asia/Kolkata")
# One every 2.6 s; those of the first 40 s are due when the order is taken.
SLICES, BEFORE = 24, timedelta(seconds=40)
PATIENCE = 90


@dataclass
class Trouble:
    """How the account comes to be refused, how that ends, and what everybody is told meanwhile."""

    begin: Callable[[RunningExchange], object]
    end: Callable[[RunningExchange], object]
    state: str


def six_o_clock(exchange: RunningExchange) -> None:
    exchange.move_clock(datetime.combine(exchange.now().astimezone(INDIA), time(6), INDIA) + timedelta(seconds=1))


def refuse_our_address(exchange: RunningExchange) -> None:
    refusal = {"status": 403, "error_type": "PermissionException", "message": "No IPs configured for this app."}
    exchange.set_faults({"fault": "refuse_call", **refusal})


TROUBLES = {
    "six o'clock": Trouble(six_o_clock, lambda _exchange: log_in(), "AWAITING_TOKEN"),
    "address not registered": Trouble(refuse_our_address, lambda exchange: exchange.set_faults(), "BLOCKED"),
}


@pytest.fixture
def exchange(
    clean_database: str, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningExchange]:
    """Somebody has logged in, shortly before six by its clock."""
    with start_exchange(tmp_path, more=["--redirect-url", REDIRECT]) as running:
        tomorrow = (utcnow() + timedelta(days=1)).astimezone(INDIA)
        running.move_clock(datetime.combine(tomorrow, time(5, 50), INDIA))
        running.control("PUT", "logins", {"standing_token": False})
        given = {"PULSE_PAPER_EXCHANGE_URL": running.url, "KITE_API_KEY": API_KEY, "KITE_API_SECRET": API_SECRET}
        for name, value in (given | {"KITE_ACCESS_TOKEN": ACCESS_TOKEN}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PULSE_VAULT_KEYS", f"new:{secrets.token_urlsafe(32)}")
        forget()
        add_account(PAPER)
        log_in()
        yield running
        monkeypatch.undo()
        forget()


def forget() -> None:
    config.settings.cache_clear()
    credentials.forget()
    directory.forget()


@pytest.fixture
def processes(exchange: RunningExchange, environment: dict[str, str], tmp_path: Path) -> Iterator[Processes]:
    vault_keys = config.settings().pulse_vault_keys
    assert vault_keys is not None
    here = {name: str(value) for name, value in environment.items()}
    here |= {"PULSE_PAPER_EXCHANGE_URL": exchange.url, "PULSE_VAULT_KEYS": vault_keys.get_secret_value()}
    here |= {"KITE_API_KEY": API_KEY, "KITE_ACCESS_TOKEN": ACCESS_TOKEN, "KITE_API_SECRET": API_SECRET}
    here |= {"PULSE_OVERDUE_AFTER": "1"}
    started = Processes(tmp_path, here)
    try:
        started.worker_control()
        started.worker_slices()
        started.beat()
        yield started
    finally:
        started.close()


def statuses(order_id: str) -> Counter[SliceStatus]:
    return Counter(one.status for one in slices_of(order_id))


def overdue(order_id: str) -> int:
    now = datetime.now(UTC)
    return sum(one.status is SliceStatus.SCHEDULED and one.due_at < now for one in slices_of(order_id))


def refused_placements() -> int:
    with db.transaction() as session:
        rows = select(func.count()).select_from(Placement).where(Placement.outcome == PlacementOutcome.REFUSED)
        return session.scalar(rows) or 0


def is_reading_refused() -> bool:
    with db.transaction() as session:
        return session.get_one(BrokerAccount, PAPER).is_read_refused


def status_page(environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [PULSE, "status", "--json"], env=dict(environment), capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_an_account_that_is_refused_in_mid_order_costs_nothing_but_time(
    exchange: RunningExchange, processes: Processes, trouble: Trouble
) -> None:
    _pulse, url = processes.pulse()
    # A slow machine may be done with the trouble only when the window is over: it may grow.
    terms = {"num_splits": SLICES, "total_quantity": SLICES, "duration_minutes": 1, "extend_minutes": 5}
    order_id = a_split_order(utcnow() - BEFORE, **terms)
    wait_until(lambda: statuses(order_id)[SliceStatus.FILLED] >= SLICES // 2, PATIENCE, "the first slices")

    trouble.begin(exchange)
    told = f"{PAPER}: {trouble.state}"
    wait_until(lambda: told in requests.get(f"{WATCHED_AT[url]}/ready", timeout=5).text, PATIENCE, "a word of it")
    wait_until(lambda: not statuses(order_id)[SliceStatus.SENDING], PATIENCE, "the end of what was on its way")
    # Only where reading was refused as well does a reading show that it is over; by chance nothing is read meanwhile.
    queue.app().send_task(Task.RECONCILE.value)
    wait_until(is_reading_refused, PATIENCE, "a reading that is refused too")
    met_by = refused_placements()
    wait_until(lambda: overdue(order_id) >= 2, PATIENCE, "slices that wait")
    assert trouble.state in status_page(processes.environment)
    # What was on its way at that moment was refused too, and nothing after it was even tried.
    assert refused_placements() == met_by
    trouble.end(exchange)

    wait_until(lambda: order(order_id).status is OrderStatus.DONE, PATIENCE, "the order's end")
    done, own = order(order_id), slices_of(order_id)
    assert done.result is OrderResult.FILLED
    # What was missed has found room in the window: the last of it at its very end.
    assert max(one.due_at for one in own) <= done.end_at
    assert statuses(order_id) == {SliceStatus.FILLED: SLICES}
    assert [one.failures for one in own] == [0] * SLICES
    with db.transaction() as session:
        [alarm] = alarms.page(session, AlarmFilters(code=AlarmCode.ACCOUNT_HELD), 10, None)
        assert (alarm.occurrences, alarm.subject) == (1, PAPER)
    with exchange.ledger() as ledger:
        tags = Counter(one.tag for one in ledger.orders())
    assert len(tags) == SLICES
    assert set(tags.values()) == {1}
