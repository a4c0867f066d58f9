"""Whole days leave the paper exchange's ledger for the archive: judges read them there, and it goes on as it was."""

import json
import secrets
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api_contract.vocabulary import Side
from pulse_core.boottime import boottime
from pulse_core.brokers.port import AlreadyThere, Placement
from pulse_core.clock import utcnow
from pulse_ops.archive import files, ledger
from pulse_ops.archive.archiving import NotYet
from pulse_ops.archive.files import Damaged
from pulse_ops.cli import main
from pulse_ops.verify import alpaca_records, broker_records
from tests.support.exchange import RunningExchange, start_exchange

AGO, STOCK = 10, "NSE:RELIANCE"

KILLED_BEFORE_THE_SECOND = """
import os, signal, sys
from pulse_ops.archive import ledger
from pulse_ops.cli import main

remove, calls = ledger._remove, []

def die_in_time(*given):
    calls.append(given)
    return remove(*given) if len(calls) == 1 else os.kill(os.getpid(), signal.SIGKILL)

ledger._remove = die_in_time
main(sys.argv[1:])
"""


class Crash(Exception):
    """Raised after a step."""


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[RunningExchange]:
    """One that has traded on two days that are ten and nine days ago, and today."""
    with start_exchange(tmp_path) as running:
        for days in (AGO, AGO - 1, 0):
            running.move_clock(utcnow() - timedelta(days=days) if days else None)
            for side, quantity in ((Side.BUY, 10), (Side.SELL, 4)):
                tag = secrets.token_hex(10).upper()
                running.broker().place(Placement(tag, STOCK, side, quantity), boottime() + 10)
        yield running


def before(days: int = AGO - 5) -> date:
    return ledger.today(utcnow()) - timedelta(days=days)


def day(days: int) -> date:
    return ledger.today(utcnow() - timedelta(days=days))


def books(exchange: RunningExchange, archive: Path | None = None) -> tuple[list[Any], ...]:
    found = broker_records.from_ledger(exchange.ledger_path)
    found = found if archive is None else broker_records.with_archive(found, archive)
    return (
        sorted(found.orders, key=lambda one: one.order_id),
        sorted(found.trades, key=lambda one: one.trade_id),
        sorted(found.arrivals, key=lambda one: one.arrived_at),
    )


def held(exchange: RunningExchange) -> object:
    """What the exchange counts from its trades."""
    broker = exchange.broker()
    return broker.holdings([STOCK], 5), broker.funds(5)


def rows(exchange: RunningExchange, table: str) -> int:
    with closing(sqlite3.connect(exchange.ledger_path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_days_go_beside_the_running_exchange_and_are_judged_as_before(
    exchange: RunningExchange, tmp_path: Path
) -> None:
    archive, told = tmp_path / "archive", books(exchange)
    done = list(ledger.archive_ledger(exchange.ledger_path, archive, before()))

    assert [(one.day, one.owners) for one in done] == [(day(AGO), 2), (day(AGO - 1), 2)]
    assert [rows(exchange, table) for table in ("orders", "trades", "arrivals")] == [2, 2, 2]
    assert books(exchange, archive) == told
    assert list(ledger.archive_ledger(exchange.ledger_path, archive, before())) == []


def test_holdings_funds_and_numbers_go_on_over_a_restart(exchange: RunningExchange, tmp_path: Path) -> None:
    exchange.control(
        "PUT", "account", {"cash": 10_000_000, "holdings": {STOCK: {"quantity": 100, "average_price": 2400}}}
    )
    before_it, [*_, latest] = held(exchange), broker_records.from_ledger(exchange.ledger_path).orders
    # Nothing of today is left either.
    list(ledger.archive_ledger(exchange.ledger_path, tmp_path / "archive", day(-1)))
    assert (rows(exchange, "orders"), held(exchange)) == (0, before_it)

    exchange.restart()
    assert held(exchange) == before_it
    exchange.broker().place(Placement("A" * 20, STOCK, Side.BUY, 1), boottime() + 10)
    [newest] = broker_records.from_ledger(exchange.ledger_path).orders
    assert newest.order_id > latest.order_id


@pytest.mark.parametrize("step", ["written", "read back", "removed"])
def test_after_a_crash_at_any_step_it_is_repeated(exchange: RunningExchange, tmp_path: Path, step: str) -> None:
    archive, told = tmp_path / "archive", books(exchange)

    def crash(passed: str) -> None:
        if passed == step:
            raise Crash

    with suppress(Crash):
        list(ledger.archive_ledger(exchange.ledger_path, archive, before(), crash))
    assert books(exchange, archive) == told
    list(ledger.archive_ledger(exchange.ledger_path, archive, before()))
    assert (rows(exchange, "orders"), books(exchange, archive)) == (2, told)
    assert len(files.parts_of(archive, ledger.LEDGER, day(AGO))) == 1


def test_a_day_that_changed_after_it_was_written_is_written_anew(exchange: RunningExchange, tmp_path: Path) -> None:
    archive = tmp_path / "archive"

    def fill_late(passed: str) -> None:
        if passed == "written" and len(files.parts_of(archive, ledger.LEDGER, day(AGO))) == 1:
            with closing(sqlite3.connect(exchange.ledger_path)) as connection, connection:
                connection.execute("UPDATE orders SET status_message = 'late' WHERE number = 1")

    list(ledger.archive_ledger(exchange.ledger_path, archive, before(), fill_late))
    assert len(files.parts_of(archive, ledger.LEDGER, day(AGO))) == 2
    with ledger.put_back(archive) as path, closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT status_message FROM orders WHERE number = 1").fetchone() == ("late",)


def test_what_comes_for_a_day_that_is_in_the_archive_already_is_put_beside_it(
    exchange: RunningExchange, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    list(ledger.archive_ledger(exchange.ledger_path, archive, before()))
    exchange.move_clock(utcnow() - timedelta(days=AGO))
    exchange.broker().place(Placement("B" * 20, STOCK, Side.BUY, 1), boottime() + 10)
    told = books(exchange, archive)
    assert len(told[0]) == 7

    list(ledger.archive_ledger(exchange.ledger_path, archive, before()))
    assert (rows(exchange, "orders"), books(exchange, archive)) == (2, told)


def test_what_is_open_or_not_ours_or_damaged_stays(exchange: RunningExchange, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    with closing(sqlite3.connect(exchange.ledger_path)) as connection, connection:
        connection.execute("UPDATE orders SET status = 'OPEN' WHERE number = 1")
    with pytest.raises(NotYet, match="of the exchange has not ended"):
        list(ledger.archive_ledger(exchange.ledger_path, archive, before()))
    with closing(sqlite3.connect(exchange.ledger_path)) as connection, connection:
        connection.execute("UPDATE orders SET status = 'COMPLETE' WHERE number = 1")

    def damage(passed: str) -> None:
        if passed == "written":
            (part,) = files.parts_of(archive, ledger.LEDGER, day(AGO))
            part.path("trades").write_bytes(b"")

    with pytest.raises(Damaged):
        list(ledger.archive_ledger(exchange.ledger_path, archive, before(), damage))
    assert rows(exchange, "orders") == 6


def test_an_operator_archives_a_ledger_and_a_killed_command_is_repeated(
    exchange: RunningExchange, tmp_path: Path
) -> None:
    archive, told = tmp_path / "archive", books(exchange)
    command = ["archive", "ledger", str(exchange.ledger_path), "--to", str(archive), "--trading-days", "5"]
    killed = subprocess.run([sys.executable, "-c", KILLED_BEFORE_THE_SECOND, *command], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (rows(exchange, "orders"), books(exchange, archive)) == (4, told)

    ended = CliRunner().invoke(main, command)
    assert (ended.exit_code, rows(exchange, "orders")) == (0, 2)
    assert books(exchange, archive) == told
    listed = CliRunner().invoke(main, ["archive", "days", "--from", str(archive), "--json"])
    assert listed.exit_code == 0
    days = json.loads(listed.stdout)["days"]
    assert [(one["kind"], one["day"], one["rows"]["orders"]) for one in days] == [
        ("ledger", str(day(AGO)), 2),
        ("ledger", str(day(AGO - 1)), 2),
    ]


def test_where_orders_of_any_day_are_shown_their_own_rows_stay(tmp_path: Path) -> None:
    archive, tags, share = tmp_path / "archive", [secrets.token_hex(10).upper() for _ in range(2)], "NYSE:BRK.B"
    with start_exchange(tmp_path, wire="alpaca") as exchange:
        broker = exchange.alpaca()
        for days, tag in zip((AGO, 0), tags, strict=True):
            exchange.move_clock(utcnow() - timedelta(days=days) if days else None)
            broker.place(Placement(tag, share, Side.BUY, 10), boottime() + 10)
        told = alpaca_records.from_ledger(exchange.ledger_path)
        shown = broker.find(tags[0]), broker.holdings([share], 5)
        done = list(ledger.archive_ledger(exchange.ledger_path, archive, before()))

        assert [(one.day, one.owners) for one in done] == [(day(AGO), 1)]
        assert [rows(exchange, table) for table in ("orders", "trades", "arrivals")] == [2, 1, 1]
        assert alpaca_records.with_archive(alpaca_records.from_ledger(exchange.ledger_path), archive) == told
        assert list(ledger.archive_ledger(exchange.ledger_path, archive, before())) == []
        exchange.restart()
        assert (broker.find(tags[0]), broker.holdings([share], 5)) == shown
        with pytest.raises(AlreadyThere):
            broker.place(Placement(tags[0], share, Side.BUY, 10), boottime() + 10)


def test_two_ledgers_do_not_share_an_archive(exchange: RunningExchange, tmp_path: Path) -> None:
    archive, other = tmp_path / "archive", tmp_path / "other.sqlite"
    with closing(sqlite3.connect(exchange.ledger_path)) as ours, closing(sqlite3.connect(other)) as copy:
        ours.backup(copy)
        copy.execute("UPDATE meta SET value = 'another' WHERE name = 'born'")
        copy.commit()
    list(ledger.archive_ledger(other, archive, before(AGO - 1)))
    with pytest.raises(Damaged, match="is of another ledger"):
        list(ledger.archive_ledger(exchange.ledger_path, archive, before()))
    assert rows(exchange, "orders") == 6
