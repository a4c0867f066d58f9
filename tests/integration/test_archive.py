"""Whole days go into files: nothing is lost on the way, whatever breaks off, and no order is placed a second time."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from click.testing import CliRunner
from psycopg2 import extensions
from sqlalchemy import text

from api_contract.errors import Archived, DuplicateOrderUniqueKey
from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core.clock import utcnow
from pulse_core.events import feed, merged_feed
from pulse_core.owner import OneAccount
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.order import queries
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order_totals import finish_orders
from pulse_core.trading.slice.execute import execute_slices
from pulse_core.trading.slice.reconcile import reconcile
from pulse_ops.archive import archiving, files, reading
from pulse_ops.archive.archiving import NotYet, Whose
from pulse_ops.archive.files import Damaged, Part
from pulse_ops.archive.rows import AUDIT, TRADING, Kind
from pulse_ops.cli import main
from pulse_ops.verify import database
from pulse_ops.verify.archived import with_archive
from tests.support.broker import SimulatedBroker, accept_and_fill
from tests.support.factories import a_new_order, a_split_order, an_account, an_alarm, order, slices_of
from tests.support.servers import as_owner, owner_url

WHOSE = Whose("0038", "TEST")
STEPS = ("writing", "written", "read back", "removing", "removed")
AGO = 10
STATED = {"total_quantity": 30, "num_splits": 3, "duration_minutes": 1}
_OLDER = """
    UPDATE orders SET start_at = start_at - :by, end_at = end_at - :by, created_at = created_at - :by,
        finished_at = finished_at - :by, updated_at = updated_at - :by WHERE id = :id
"""


_LATE = "UPDATE order_slices SET error_message = 'late' WHERE order_id = :id"


_TAKE_UP = "UPDATE orders SET status = 'IN_PROGRESS', finished_at = NULL WHERE id = :id"


class Crash(BaseException):
    """Ends the archiving where a process would die."""


@pytest.fixture
def account(broker: SimulatedBroker) -> str:
    return an_account()


@pytest.fixture
def owner(clean_database: str) -> Iterator[extensions.connection]:
    with closing(psycopg2.connect(owner_url(clean_database))) as connection:
        yield connection


def a_finished_order(broker: SimulatedBroker, account: str, days: int = AGO, **changes: object) -> str:
    """An order of so many days ago that was filled in three slices."""
    broker.answers = [accept_and_fill] * 3
    order_id = a_split_order(utcnow() - timedelta(minutes=2), account, **STATED | changes)
    with as_owner() as connection:
        connection.execute(text("UPDATE orders SET most_per_interval = NULL, pace_interval = NULL"))
    execute_slices([one.id for one in slices_of(order_id)])
    reconcile(utcnow())
    finish_orders(utcnow())
    assert order(order_id).status is OrderStatus.DONE
    older(order_id, days)
    return order_id


def older(order_id: str, days: int) -> None:
    with as_owner() as connection:
        connection.execute(text(_OLDER), {"id": order_id, "by": timedelta(days=days)})


def day_of(order_id: str) -> date:
    return order(order_id).created_at.astimezone(UTC).date()


def archive(
    connection: extensions.connection,
    folder: Path,
    kind: Kind = TRADING,
    passed: Callable[[str], None] = lambda _step: None,
) -> list[int]:
    """How many went, of each day up to four days ago."""
    before = datetime.now(UTC).date() - timedelta(days=3)
    found = [one.owners for one in archiving.archive_days(connection, kind, folder, before, WHOSE, passed)]
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock_all()")
    return found


def count(table: str) -> int:
    with as_owner() as connection:
        return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def rows_of(table: str) -> list[dict[str, Any]]:
    with as_owner() as connection:
        return [dict(row) for row in connection.execute(text(f"SELECT * FROM {table}")).mappings()]


def same(found: database.Database) -> list[object]:
    """What a judge is told, however it is sorted."""
    told = (found.orders, found.slices, found.placements, found.fills, found.events)
    return [sorted(rows, key=repr) for rows in told]


def test_a_day_is_read_in_the_archive_as_it_was_in_the_database(
    broker: SimulatedBroker, account: str, owner: extensions.connection, clean_database: str, tmp_path: Path
) -> None:
    old, young = a_finished_order(broker, account), a_finished_order(broker, account, days=0)
    before = database.read(clean_database, "paper")

    assert archive(owner, tmp_path) == [1]

    assert [len(slices_of(one)) for one in (old, young)] == [0, 3]
    assert (count("placements"), count("fills")) == (3, 3)
    after = with_archive(database.read(clean_database, "paper"), tmp_path, "paper")
    assert same(after) == same(before)
    found = reading.order(tmp_path, old)
    assert found is not None
    assert [one["filled_quantity"] for one in found["order_slices"]] == [10, 10, 10]
    assert reading.order(tmp_path, young) is None
    assert archive(owner, tmp_path) == []


def test_an_archived_order_is_shown_and_what_belonged_to_it_is_said_to_be_elsewhere(
    broker: SimulatedBroker, account: str, owner: extensions.connection, tmp_path: Path
) -> None:
    old, me = a_finished_order(broker, account), OneAccount(account)
    archive(owner, tmp_path)

    shown = queries.order_report(me, old)
    assert (shown.filled_quantity, shown.exposure.filled, shown.exposure.total) == (30, 30, 30)
    assert shown.archived_at is not None
    assert [one.order_id for one in queries.order_page(me, queries.OrderFilters(), 10, None).orders] == [old]
    for read in (queries.slice_list, lambda *asked: queries.fill_page(*asked, 10, None), queries.order_origin):
        with pytest.raises(Archived):
            read(me, old)


def test_the_key_of_an_archived_order_stays_used(
    broker: SimulatedBroker, account: str, owner: extensions.connection, tmp_path: Path
) -> None:
    old = a_finished_order(broker, account, order_unique_key="once")
    archive(owner, tmp_path)

    with pytest.raises(DuplicateOrderUniqueKey) as refused:
        submit_order(account, a_new_order(**STATED, order_unique_key="once", client_note="another"), utcnow())
    repeated = submit_order(account, a_new_order(**STATED, order_unique_key="once"), utcnow())

    assert refused.value.details["existing_order_id"] == old
    assert (repeated.order_id, repeated.is_new, count("orders")) == (old, False, 1)


def test_whatever_step_it_breaks_off_after_it_is_repeated_and_nothing_is_lost(
    broker: SimulatedBroker,
    account: str,
    owner: extensions.connection,
    clean_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archiving, "TOGETHER", 1)
    for days in (AGO, AGO, AGO + 1):
        a_finished_order(broker, account, days)
    before = same(database.read(clean_database, "paper"))

    # A day with one order, and one with two.
    for broken_off_at in STEPS * 3:

        def crash_there(step: str, there: str = broken_off_at) -> None:
            if step == there:
                raise Crash

        with suppress(Crash):
            archive(owner, tmp_path, passed=crash_there)
        assert same(with_archive(database.read(clean_database, "paper"), tmp_path, "paper")) == before

    assert len(files.days_in(tmp_path, "trading")) == 2
    assert (count("order_slices"), count("fills"), count("orders")) == (0, 0, 3)
    assert same(with_archive(database.read(clean_database, "paper"), tmp_path, "paper")) == before


def test_it_rests_after_each_step_up_to_a_minute_and_holds_nothing_meanwhile(
    broker: SimulatedBroker, account: str, owner: extensions.connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_finished_order(broker, account)
    instants, rests = iter([0.0, 0.5, 2.0, 602.0, 662.0]), list[tuple[float, int]]()
    monkeypatch.setattr(archiving, "monotonic", lambda: next(instants))
    monkeypatch.setattr(archiving, "sleep", lambda seconds: rests.append((seconds, owner.get_transaction_status())))
    before = datetime.now(UTC).date() - timedelta(days=3)

    days = archiving.archive_days(owner, TRADING, tmp_path, before, WHOSE, rest=2)

    assert [one.owners for one in days] == [1]
    assert rests == [(1.0, extensions.TRANSACTION_STATUS_IDLE), (60.0, extensions.TRANSACTION_STATUS_IDLE)]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE order_slices SET status = 'UNKNOWN', resolve_at = now() WHERE id = :slice", "has not ended"),
        ("UPDATE order_slices SET status = 'EXPIRED', error_code = 'END_UNSEEN' WHERE id = :slice", "settle it"),
        ("UPDATE placements SET ended_at = NULL WHERE slice_id = :slice", "may be live"),
        ("UPDATE orders SET status = 'IN_PROGRESS', finished_at = NULL WHERE id = :order", "is open"),
        ("UPDATE orders SET finished_at = now() WHERE id = :order", "only lately"),
    ],
)
def test_a_day_with_something_unsettled_stays_and_so_do_those_after_it(
    broker: SimulatedBroker, account: str, owner: extensions.connection, tmp_path: Path, statement: str, why: str
) -> None:
    old = a_finished_order(broker, account, AGO)
    a_finished_order(broker, account, AGO - 2)
    with as_owner() as connection:
        connection.execute(text(statement), {"slice": slices_of(old)[0].id, "order": old})

    with pytest.raises(NotYet, match=why):
        archive(owner, tmp_path)

    assert (count("order_slices"), files.days_in(tmp_path, "trading")) == (6, [])


def test_an_unresolved_alarm_keeps_its_day(
    broker: SimulatedBroker, account: str, owner: extensions.connection, tmp_path: Path
) -> None:
    old = a_finished_order(broker, account)
    an_alarm(slices_of(old)[0], AlarmCode.FILL_AFTER_END)

    with pytest.raises(NotYet, match="alarm"):
        archive(owner, tmp_path)
    with as_owner() as connection:
        connection.execute(text("UPDATE alarms SET status = 'RESOLVED', resolved_at = now(), resolved_by = 'ann'"))

    assert archive(owner, tmp_path) == [1]
    found = reading.order(tmp_path, old)
    assert found is not None
    assert (len(found["alarms"]), count("alarms"), count("order_slices")) == (1, 1, 0)


def test_what_changes_after_it_was_written_is_written_again(
    broker: SimulatedBroker, account: str, owner: extensions.connection, tmp_path: Path
) -> None:
    one, other = a_finished_order(broker, account), a_finished_order(broker, account)
    changes = iter([1])

    def change_once(step: str) -> None:
        if step == "written" and next(changes, None):
            with as_owner() as connection:
                connection.execute(text(_LATE), {"id": one})

    assert archive(owner, tmp_path, passed=change_once) == [2]

    parts = files.parts_of(tmp_path, "trading", day_of(one))
    assert [files.check(part).tables["orders"].rows for part in parts] == [2, 1]
    told = [reading.order(tmp_path, order_id) for order_id in (one, other)]
    assert [found and {row["error_message"] for row in found["order_slices"]} for found in told] == [{"late"}, {None}]


def test_an_order_that_is_taken_up_again_after_it_was_written_stays(
    broker: SimulatedBroker, account: str, owner: extensions.connection, tmp_path: Path
) -> None:
    one, other = a_finished_order(broker, account), a_finished_order(broker, account)

    def take_up(step: str) -> None:
        if step == "written":
            with as_owner() as connection:
                connection.execute(text(_TAKE_UP), {"id": one})

    with pytest.raises(NotYet, match="is open"):
        archive(owner, tmp_path, passed=take_up)

    assert [len(slices_of(order_id)) for order_id in (one, other)] == [3, 0]


@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_nothing_goes_whose_file_is_not_what_was_written(
    broker: SimulatedBroker, account: str, owner: extensions.connection, tmp_path: Path, damage: str
) -> None:
    old = a_finished_order(broker, account)
    file = Part(tmp_path, "trading", day_of(old), 1).path("fills")

    def spoil(step: str) -> None:
        if step != "written":
            return
        if damage == "cut":
            file.write_bytes(file.read_bytes()[:-20])
        elif damage == "changed":
            rows = gzip.decompress(file.read_bytes()).replace(b'"quantity": 10', b'"quantity": 11')
            file.write_bytes(gzip.compress(rows))
        else:
            file.unlink()

    with pytest.raises(Damaged, match="fills"):
        archive(owner, tmp_path, passed=spoil)

    assert (count("fills"), len(slices_of(old))) == (3, 3)
    listed = CliRunner().invoke(main, ["archive", "days", "--from", str(tmp_path)])
    assert (listed.exit_code, "fills" in listed.stderr) == (1, True)


def test_another_installations_archive_takes_nothing_away(
    broker: SimulatedBroker, account: str, owner: extensions.connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_finished_order(broker, account)

    def crash_once_written(step: str) -> None:
        if step == "written":
            raise Crash

    with pytest.raises(Crash):
        archive(owner, tmp_path, passed=crash_once_written)
    monkeypatch.setattr("tests.integration.test_archive.WHOSE", Whose("0038", "ELSE"))

    with pytest.raises(Damaged, match="another installation"):
        archive(owner, tmp_path)

    assert count("order_slices") == 3


def test_a_follower_who_would_miss_archived_events_is_told_so_and_numbers_go_on(
    broker: SimulatedBroker,
    account: str,
    owner: extensions.connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archiving, "_MERGED_AT_ONCE", 2)
    a_finished_order(broker, account)
    a_finished_order(broker, account, days=0)
    events = feed.account_events(account, 0, 500).events
    merged = merged_feed.events(0, 500).events
    archive(owner, tmp_path)
    gone = len(events) - len(feed.account_events(account, 0, 500).events)

    assert gone > 3
    for read in (lambda after: feed.account_events(account, after, 500), lambda after: merged_feed.events(after, 500)):
        with pytest.raises(Archived) as told:
            read(1)
        assert told.value.details == {"after": gone}
        assert [one.event_id for one in read(gone).events] == [one.event_id for one in events[gone:]]
        assert read(len(events)).events == []
    assert merged_feed.events(0, 500).events == merged[gone:]
    a_finished_order(broker, account, days=0)
    assert merged_feed.events(len(merged), 1).events[0].event_id == len(merged) + 1


def test_of_feeds_that_are_wholly_archived_the_numbers_go_on(
    broker: SimulatedBroker, account: str, owner: extensions.connection, tmp_path: Path
) -> None:
    a_finished_order(broker, account)
    last = len(merged_feed.events(0, 500).events)
    archive(owner, tmp_path)

    assert (count("slice_events"), merged_feed.poll(None, 1).last_event_id) == (0, last)
    with pytest.raises(Archived) as told:
        feed.account_events(account, 2, 10)
    assert told.value.details == {"after": last}
    a_finished_order(broker, account, days=0)
    assert [one.event_id for one in merged_feed.events(last, 2).events] == [last + 1, last + 2]


def test_old_entries_of_the_audit_go_and_young_ones_stay(
    clean_database: str, owner: extensions.connection, tmp_path: Path
) -> None:
    with as_owner() as connection:
        connection.execute(
            text(
                "INSERT INTO audit_entries (at, actor, action, detail) SELECT now() - days * interval '1 day', 'ann',"
                " 'user.create', jsonb_build_object('days', days) FROM unnest(ARRAY[0, 10, 11]) AS days"
            )
        )

    assert archive(owner, tmp_path, AUDIT) == [1, 1]

    assert count("audit_entries") == 1
    [day, _] = files.days_in(tmp_path, "audit")
    [row] = files.rows(Part(tmp_path, "audit", day, 1), "audit_entries")
    assert row["detail"] == {"days": 11}


def test_an_archived_order_and_an_archived_day_are_told_of_from_their_files(
    broker: SimulatedBroker, account: str, owner: extensions.connection, tmp_path: Path
) -> None:
    first, second = (a_finished_order(broker, account) for _ in range(2))
    day, run = day_of(first).isoformat(), CliRunner()
    trades = {row["broker_trade_id"] for row in rows_of("fills")}
    archive(owner, tmp_path)

    of_day = run.invoke(main, ["archive", "report", day, "--from", str(tmp_path)])
    of_order = run.invoke(main, ["archive", "report", first, "--from", str(tmp_path)])
    missing = [run.invoke(main, ["archive", "report", one, "--from", str(tmp_path)]) for one in ("ord_1", "2001-02-03")]
    programs = [run.invoke(main, ["archive", "report", one, "--from", str(tmp_path), "--json"]) for one in (day, first)]
    Part(tmp_path, "trading", day_of(first), 1).path("fills").write_bytes(gzip.compress(b""))
    damaged = run.invoke(main, ["archive", "report", first, "--from", str(tmp_path)])

    assert of_day.stdout.endswith(f"{day}: 2 orders, 6 slices, 6 fills\n"), of_day.output
    assert first in of_day.stdout
    assert second in of_day.stdout
    assert (of_order.exit_code, second in of_order.stdout) == (0, False), of_order.output
    assert "30 of 30 at " in of_order.stdout
    assert sum(one in of_order.stdout for one in trades) == 3
    told_of_day, told_of_order = (json.loads(one.stdout) for one in programs)
    assert ({one["order_id"] for one in told_of_day["orders"]}, told_of_day["fills"]) == ({first, second}, 6)
    assert (told_of_order["order"]["filled_quantity"], len(told_of_order["slices"])) == (30, 3)
    assert [one["trade_id"] in trades and float(one["price"]) > 0 for one in told_of_order["fills"]] == [True] * 3
    assert told_of_order["events"][-1]["at"].endswith("Z")
    assert [(one.exit_code, "There is no " in one.stderr) for one in missing] == [(1, True)] * 2
    assert (damaged.exit_code, "is not what was written" in damaged.stderr) == (1, True)


def test_an_operator_archives_lists_shows_and_is_told_what_holds_it_up(
    broker: SimulatedBroker, account: str, clean_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_OWNER_DATABASE_URL", owner_url(clean_database))
    old, folder, run = a_finished_order(broker, account), str(tmp_path / "archive"), CliRunner()
    before = (datetime.now(UTC) - timedelta(days=5)).date().isoformat()
    today = datetime.now(UTC).date().isoformat()
    asked = ["archive", "run", "--to", folder, "--before"]

    refused = run.invoke(main, [*asked, today])
    done = run.invoke(main, [*asked, before])
    again = run.invoke(main, [*asked, before])
    listed = json.loads(run.invoke(main, ["archive", "days", "--from", folder, "--json"]).stdout)
    shown = json.loads(run.invoke(main, ["archive", "show", old, "--from", folder]).stdout)
    open_one = a_split_order(utcnow(), account)
    older(open_one, AGO)
    held_up = run.invoke(main, [*asked, before])

    assert (refused.exit_code, done.exit_code, again.exit_code, again.stdout) == (2, 0, 0, ""), done.output
    assert done.stdout.startswith(f"{day_of(old)}: 1 orders, ")
    assert [one["rows"]["order_slices"] for one in listed["days"]] == [3]
    assert [one["status"] for one in shown["order_slices"]] == [SliceStatus.FILLED] * 3
    assert (held_up.exit_code, open_one in held_up.stderr) == (4, True)
