"""Rehearsed: a backup that is older than the last purchases, and a standby that takes over without them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pulse_core import db, migrations
from pulse_core.trading.alarms import AlarmCode
from pulse_ops.cli import main
from pulse_ops.verify import broker_records
from tests.support import servers, standby
from tests.support.arena import Arena, arena_on
from tests.support.factories import a_split_order, without_pace
from tests.support.processes import wait_until
from tests.support.servers import RunningPostgres

QUANTITY = 1000
# One slice after the other, quickly: some before the backup, some after it, some after the restore.
STAGGER = """
    UPDATE order_slices SET scheduled_at = now() + sequence_number * interval '0.7 s',
        due_at = now() + sequence_number * interval '0.7 s' WHERE order_id = %s
"""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[RunningPostgres]:
    """A server of this test's own: it is lost in the course of it."""
    with servers.running_postgres(tmp_path) as running:
        migrations.upgrade(running.url())
        yield running


@pytest.fixture
def arena(environment: dict[str, str], primary: RunningPostgres, tmp_path: Path) -> Iterator[Arena]:
    with arena_on(primary.url(), environment, tmp_path, "control", "slices") as opened:
        yield opened


def a_staggered_order(arena: Arena) -> str:
    order_id = a_split_order(account_id=arena.account, total_quantity=QUANTITY, num_splits=10)
    without_pace(order_id)
    arena.rows(STAGGER, order_id)
    return order_id


def wait_until_filled(arena: Arena, order_id: str, count: int) -> None:
    filled = "SELECT count(*) FROM order_slices WHERE order_id = %s AND status = 'FILLED'"
    wait_until(lambda: arena.rows(filled, order_id)[0][0] >= count, 30, f"the fill of {count} slices")


def bought(arena: Arena) -> int:
    return sum(trade.quantity for trade in broker_records.from_exchange(arena.exchange_url).trades)


def test_a_promoted_standby_without_the_last_commits_buys_nothing_twice(
    arena: Arena, primary: RunningPostgres, tmp_path: Path
) -> None:
    with standby.following(primary, tmp_path) as successor:
        order_id = a_staggered_order(arena)
        wait_until_filled(arena, order_id, 2)
        successor.cut_off()
        known = arena.rows("SELECT count(*) FROM placements")[0][0]
        wait_until_filled(arena, order_id, known + 3)

        primary.child.kill()
        successor.take_over()

        arena.wait_until_final(60)
        assert bought(arena) == QUANTITY
        assert lost_claims(arena) >= 3
        assert arena.broken_promises() == []
        assert arena.rows("SELECT held_since FROM installation") == [(None,)]


def test_a_restored_backup_buys_nothing_twice_and_an_operator_sees_what_it_forgot(
    arena: Arena, primary: RunningPostgres, tmp_path: Path
) -> None:
    order_id = a_staggered_order(arena)
    wait_until_filled(arena, order_id, 2)
    standby.run("pg_dump", "-Fc", "-f", str(tmp_path / "backup"), primary.url())
    sent = arena.rows("SELECT count(*) FROM placements")[0][0]
    forgotten = a_staggered_order(arena)
    wait_until_filled(arena, order_id, sent + 2)
    wait_until_filled(arena, forgotten, 2)

    for worker in [one for one in arena.processes.children if one.program.name.startswith("worker")]:
        worker.stop(15)
    of_forgotten = len(arena.rows("SELECT 1 FROM placements p JOIN order_slices s ON s.id = p.slice_id"
                                  " WHERE s.order_id = %s", forgotten))  # fmt: skip
    before = bought(arena)
    restore(primary, tmp_path / "backup")
    arena.start("control")
    arena.start("slices")

    wait_until(lambda: arena.rows("SELECT 1 FROM installation WHERE held_since IS NOT NULL"), 20, "the hold")
    seen = json.loads(CliRunner().invoke(main, ["recover", "--json"]).stdout)
    assert bought(arena) == before
    assert len(seen["unexplained"]) == of_forgotten
    assert CliRunner().invoke(main, ["recover", "--release", "--yes"]).exit_code == 0

    arena.wait_until_final(60)
    assert bought(arena) - of_forgotten * QUANTITY // 10 == QUANTITY
    assert lost_claims(arena) >= 2
    broken = arena.broken_promises()
    assert {one.promise for one in broken} == {"every-broker-order-known"}
    assert len(broken) == of_forgotten


def restore(primary: RunningPostgres, backup: Path) -> None:
    db.engine().dispose()
    standby.query(primary.url("postgres"), "DROP DATABASE pulse WITH (FORCE)")
    primary.server.create_database()
    standby.run("pg_restore", "-d", primary.url(), str(backup))


def lost_claims(arena: Arena) -> int:
    return len(arena.rows("SELECT 1 FROM slice_events WHERE detail->>'code' = %s", AlarmCode.LOST_CLAIM))
