"""`pulse verify` on a real trade at the paper exchange, before and after somebody tampers with either side."""

import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests

from api_contract.vocabulary import SliceStatus
from pulse_core import config
from pulse_core.clock import utcnow
from pulse_core.owner import OneAccount
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.slice.day_end import end_day
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.operations import retry_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.slice.settlement import settle_slice
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.tables import OrderSlice
from pulse_ops import verify
from pulse_ops.stack.child import Child
from pulse_ops.verify import broker_records, database
from pulse_ops.verify.facts import Facts
from tests.support.factories import a_slice, a_split_order, order, slices_of
from tests.support.processes import Processes, wait_until
from tests.support.stacks import PULSE

TOMORROW = datetime.now(UTC) + timedelta(days=1)


@dataclass
class Judged:
    """An order of 100 shares in 5 slices, which the judge looks at."""

    order_id: str
    environment: dict[str, str]
    folder: Path

    def verify(self, *options: str) -> tuple[int, dict[str, Any]]:
        """The exit code and the answer of `pulse verify --json`."""
        command = [PULSE, "verify", "--json", "--data-dir", str(self.folder), *options]
        judged = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert judged.stdout, judged.stderr
        return judged.returncode, json.loads(judged.stdout)


@dataclass
class Trade(Judged):
    """One that is finished, and the exchange that filled it."""

    exchange: Child
    ledger: Path

    def change_database(self, statement: str) -> None:
        with closing(psycopg2.connect(self.environment["DATABASE_URL"])) as connection, connection:
            connection.cursor().execute(statement)

    def change_ledger(self, statement: str) -> None:
        with closing(sqlite3.connect(self.ledger)) as connection, connection:
            connection.execute(statement)


@pytest.fixture
def trade(clean_database: str, environment: dict[str, str], processes: Processes, tmp_path: Path) -> Trade:
    ledger = tmp_path / "ledger.sqlite"
    port = int(environment["PULSE_PAPER_EXCHANGE_URL"].rpartition(":")[2])
    exchange, _url = processes.exchange(ledger, port, PULSE_PAPER_LIMITS="false")
    # All of it may go out at once: its window is over.
    order_id = a_split_order(utcnow() - timedelta(seconds=61), duration_minutes=1, max_slice_multiple=5)
    for one in slices_of(order_id):
        execute_slice(one.id)
    track_slices(utcnow())
    return Trade(order_id, environment, tmp_path / "no-stack-here", exchange, ledger)


def test_a_good_trade_breaks_no_promise(trade: Trade) -> None:
    code, answer = trade.verify("--final")

    assert (code, answer["violations"]) == (0, [])
    assert (answer["orders"], answer["slices"], answer["fills"], answer["broker_orders"]) == (1, 5, 5, 5)


def test_the_ledger_is_enough_when_the_exchange_is_gone(trade: Trade) -> None:
    trade.exchange.kill()

    code, answer = trade.verify("--final", "--ledger", str(trade.ledger))

    assert (code, answer["broker_orders"]) == (0, 5)


def test_the_ledger_says_the_same_as_file_and_over_http(trade: Trade) -> None:
    assert broker_records.from_exchange(trade.environment["PULSE_PAPER_EXCHANGE_URL"]) == broker_records.from_ledger(
        trade.ledger
    )


def test_orders_of_another_broker_are_not_judged(trade: Trade) -> None:
    order_id = a_split_order(utcnow() - timedelta(minutes=10), duration_minutes=1, max_slice_multiple=5)
    trade.change_database(f"UPDATE orders SET broker = 'zerodha' WHERE id = '{order_id}'")

    code, answer = trade.verify("--final")

    assert (code, answer["orders"], answer["slices"]) == (0, 1, 5)


def test_the_settle_delay_is_a_number_of_seconds_or_never(trade: Trade) -> None:
    command = [PULSE, "verify", "--settle-delay", "soon"]
    judged = subprocess.run(command, env=trade.environment, capture_output=True, text=True, check=False)
    assert "seconds, or never" in judged.stderr
    assert [trade.verify("--settle-delay", value)[0] for value in ("never", "6.5")] == [0, 0]


def test_the_books_of_the_day_are_enough_where_there_is_no_ledger(trade: Trade) -> None:
    facts = Facts(
        database.read(trade.environment["DATABASE_URL"], "paper"),
        broker_records.from_kite(trade.environment["PULSE_PAPER_EXCHANGE_URL"], "paper", "paper"),
        is_final=True,
        grace=timedelta(0),
    )

    assert verify.broken_promises(facts) == []


LOWERED = "UPDATE order_slices SET quantity = quantity - 2 WHERE sequence_number = 2"
FILLED_LATE = (
    "INSERT INTO slice_events (account_id, order_id, slice_id, at, kind, detail)"
    " SELECT account_id, order_id, slice_id, at, 'ALARM',"
    " jsonb_build_object('alarm', 'fill after the end', 'code', 'FILL_AFTER_END', 'quantity', {quantity})"
    " FROM slice_events WHERE slice_id = (SELECT id FROM order_slices WHERE sequence_number = 1) LIMIT 1"
)

TAMPERED: dict[str, tuple[str, Callable[[Trade], None]]] = {
    "a fill one paisa dearer": (
        "fills-agree",
        lambda trade: trade.change_database("UPDATE fills SET price = price + 0.01 WHERE id = 1"),
    ),
    "a trade the database has not heard of": (
        "fills-agree",
        lambda trade: trade.change_ledger(
            "INSERT INTO trades SELECT 99, 'T99', order_id, 1, 5, 5 FROM orders WHERE number = 1"
        ),
    ),
    "an order that nobody recorded": (
        "every-broker-order-known",
        lambda trade: trade.change_ledger("UPDATE orders SET tag = 'ABCDEFGHJKMNPQRSTVWX' WHERE number = 1"),
    ),
    "an order that names another broker than its attempts": (
        "placed-at-its-broker",
        lambda trade: trade.change_database("UPDATE orders SET broker = 'zerodha'"),
    ),
    "an attempt that never ended before the next one": (
        "nothing-sent-beside-a-known-attempt",
        lambda trade: trade.change_database(
            "INSERT INTO placements (client_order_id, slice_id, attempt, quantity, broker, outcome, claimed_at)"
            " SELECT 'ZZZZZZZZZZZZZZZZZZZ1', slice_id, 0, quantity, broker, 'UNKNOWN', claimed_at"
            " FROM placements LIMIT 1"
        ),
    ),
    "an order that came back to life": (
        "statuses-agree",
        lambda trade: trade.change_ledger("UPDATE orders SET status = 'OPEN' WHERE number = 1"),
    ),
    "a status written past the table of moves": (
        "legal-history",
        lambda trade: trade.change_database("UPDATE order_slices SET status = 'EXPIRED' WHERE sequence_number = 2"),
    ),
    "a plan with less than the order": ("quantities-add-up", lambda trade: trade.change_database(LOWERED)),
    "an amendment that was not made": (
        "amended-within-bounds",
        lambda trade: trade.change_database(
            "INSERT INTO slice_events (account_id, order_id, at, kind, detail)"
            " SELECT account_id, id, created_at, 'AMENDED',"
            " jsonb_build_object('field', 'total_quantity', 'before', 100, 'after', 120) FROM orders"
        ),
    ),
    "a request that was sent again": (
        "sent-once",
        lambda trade: trade.change_ledger(
            "INSERT INTO arrivals SELECT 99, arrived_at, tag, instrument, side, quantity, 'ERROR', '', NULL"
            " FROM arrivals WHERE number = 1"
        ),
    ),
}


@pytest.mark.parametrize(("promise", "tamper"), TAMPERED.values(), ids=TAMPERED.keys())
def test_tampering_with_either_side_is_named(trade: Trade, promise: str, tamper: Callable[[Trade], None]) -> None:
    tamper(trade)

    code, answer = trade.verify("--final")

    assert code == 1
    assert answer["violations_by_promise"][promise] >= 1
    assert {"promise", "order_id", "slice_id", "expected", "found"} == answer["violations"][0].keys()


@pytest.mark.parametrize(("quantity", "is_broken"), [(2, False), (1, True)])
def test_a_plan_may_have_less_by_what_filled_after_the_end_of_its_slice(
    trade: Trade, quantity: int, is_broken: bool
) -> None:
    trade.change_database(LOWERED)
    trade.change_database(FILLED_LATE.format(quantity=quantity))

    _code, answer = trade.verify("--final")

    assert bool(answer["violations_by_promise"]["quantities-add-up"]) == is_broken


def test_without_stack_and_database_the_judge_says_so(tmp_path: Path, environment: dict[str, str]) -> None:
    bare = {name: value for name, value in environment.items() if name != "DATABASE_URL"}
    command = [PULSE, "verify", "--data-dir", str(tmp_path)]

    judged = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)

    assert judged.returncode == 3
    assert "DATABASE_URL" in judged.stderr


@dataclass
class Doubtful(Judged):
    """One whose slices are due, at an exchange that can be told how to misbehave."""

    def misbehave(self, *rules: dict[str, Any]) -> None:
        url = f"{self.environment['PULSE_PAPER_EXCHANGE_URL']}/_paper/scenario"
        requests.put(url, json={"rules": rules}, timeout=5).raise_for_status()

    def end_exchanges_day(self) -> None:
        requests.post(f"{self.environment['PULSE_PAPER_EXCHANGE_URL']}/_paper/day-end", timeout=5).raise_for_status()

    def slices(self) -> list[OrderSlice]:
        return list(slices_of(self.order_id))

    def follow(self) -> None:
        """Look into the book as the sweeps do."""
        resolve_slices(utcnow())
        track_slices(utcnow())
        reconcile(utcnow())


@pytest.fixture
def doubtful(
    clean_database: str,
    environment: dict[str, str],
    processes: Processes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Doubtful]:
    for name, value in {"PULSE_SETTLE_DELAY": "1", "PULSE_BROKER_TIMEOUT": "1"}.items():
        monkeypatch.setenv(name, value)
    config.settings.cache_clear()
    port = int(environment["PULSE_PAPER_EXCHANGE_URL"].rpartition(":")[2])
    processes.exchange(tmp_path / "ledger.sqlite", port, PULSE_PAPER_LIMITS="false")
    order_id = a_split_order(utcnow() - timedelta(seconds=61), duration_minutes=1, max_slice_multiple=5)
    yield Doubtful(order_id, environment, tmp_path / "no-stack-here")
    config.settings.cache_clear()


def test_an_order_accepted_after_it_was_taken_for_absent_is_excused_by_the_settle_delay_alone(
    doubtful: Doubtful,
) -> None:
    doubtful.misbehave({"fault": "slow_accept", "seconds": 8, "count": 1})
    first, *others = doubtful.slices()
    for one in (first, *others):
        execute_slice(one.id)
    wait_until(lambda: doubtful.follow() or doubtful.slices()[0].status is SliceStatus.SCHEDULED)

    wait_until(lambda: doubtful.follow() or doubtful.slices()[0].status is SliceStatus.FILLED)

    assert doubtful.slices()[0].attempts == 1
    assert doubtful.verify("--final", "--settle-delay", "1")[1]["violations"] == []
    code, answer = doubtful.verify("--final", "--settle-delay", "60")
    assert (code, answer["violations_by_promise"]["presumed-absent-rightly"]) == (1, 1)


def test_a_refusal_that_stands_in_the_book_is_no_violation(doubtful: Doubtful) -> None:
    first, *others = doubtful.slices()
    execute_slice(first.id)
    doubtful.misbehave({"fault": "refuse_in_book", "error_type": "OrderException", "count": 1})
    for one in others:
        execute_slice(one.id)

    doubtful.follow()

    assert [one.status for one in doubtful.slices()].count(SliceStatus.REJECTED) == 1
    assert doubtful.verify("--final")[1]["violations"] == []


def test_a_rejected_slice_that_was_to_be_sent_again_is_cancelled_with_its_order(doubtful: Doubtful) -> None:
    first, *others = doubtful.slices()
    execute_slice(first.id)
    doubtful.misbehave({"fault": "reject", "count": 1})
    for one in others:
        execute_slice(one.id)
    wait_until(lambda: doubtful.follow() or SliceStatus.REJECTED in [one.status for one in doubtful.slices()])
    rejected = next(one for one in doubtful.slices() if one.status is SliceStatus.REJECTED)

    retry_slice(rejected.id, "operator", utcnow())
    account = order(doubtful.order_id).account_id
    cancel_order(OneAccount(account), doubtful.order_id, utcnow(), account)

    doubtful.follow()
    assert a_slice(rejected.id).status is SliceStatus.CANCELLED
    assert doubtful.verify("--final")[1]["violations"] == []


@pytest.fixture
def over_night(doubtful: Doubtful) -> OrderSlice:
    """The exchange's day has ended on two open orders, and on one that filled and whose answer was lost: that slice."""
    first, *others = doubtful.slices()
    doubtful.misbehave({"fault": "ack_lost"})
    execute_slice(first.id)
    doubtful.misbehave({"fault": "open_pending", "seconds": 600, "count": 2})
    for one in others:
        execute_slice(one.id)
    doubtful.end_exchanges_day()
    end_day(TOMORROW)
    resolve_slices(TOMORROW)
    return doubtful.slices()[0]


def test_nothing_is_open_after_a_days_end_and_an_operators_word(doubtful: Doubtful, over_night: OrderSlice) -> None:
    assert over_night.status is SliceStatus.UNKNOWN
    assert doubtful.verify("--final")[1]["violations_by_promise"]["nothing-forgotten"] >= 1

    settle_slice(over_night.id, "operator", TOMORROW, filled=20, price=Decimal("2850"))

    statuses = [one.status for one in doubtful.slices()]
    assert (statuses[0], statuses.count(SliceStatus.EXPIRED)) == (SliceStatus.FILLED, 4)
    assert doubtful.verify("--final")[1]["violations"] == []


def test_an_operators_wrong_word_is_named(doubtful: Doubtful, over_night: OrderSlice) -> None:
    settle_slice(over_night.id, "operator", TOMORROW, absent=True, reason="nobody saw it")

    broken = {violation["promise"] for violation in doubtful.verify("--final")[1]["violations"]}
    assert broken == {"fills-agree", "presumed-absent-rightly"}
