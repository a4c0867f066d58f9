"""Rehearsed: the database is set back, the exchange is not, the clients ask again, and nothing is bought twice."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pulse_core import db, migrations
from pulse_core.trading.alarms import AlarmCode, HoldCode
from pulse_ops.cli import main
from pulse_ops.verify import broker_records
from tests.rigs.guide.operator import Operator, an_operator, as_superuser, own_words_for
from tests.rigs.guide.page import examples
from tests.support import servers
from tests.support.arena import SETTINGS, Arena, arena_on
from tests.support.factories import without_pace
from tests.support.processes import wait_until
from tests.support.servers import RunningPostgres
from tests.support.standby import query

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
ARCHIVE, TAKE, ARCHIVE_THE_REST, PUT_BACK, FINISH, MIGRATE, WAIT, VERIFY = examples(PAGE, "Back up and restore")
INSTANT = "2026-11-28 08:14:20+00"
# So long the database goes back, at least.
BACK = float(os.environ.get("RESTORED_BACK", "4"))
ORDERS, QUANTITY, SPLITS = 9, 900, 10
FORGOTTEN = ORDERS // 3
# One slice after the other: some go out before that instant, some after it, some after the restore.
STAGGER = """
    UPDATE order_slices SET scheduled_at = now() + sequence_number * interval '{every} s',
        due_at = now() + sequence_number * interval '{every} s' WHERE order_id = %s AND status = 'SCHEDULED'
"""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[RunningPostgres]:
    """A server of this test's own: it is lost in the course of it."""
    with servers.running_postgres(tmp_path, full_page_writes="on") as running:
        migrations.upgrade(running.url())
        yield running


@pytest.fixture
def operator(environment: dict[str, str], primary: RunningPostgres, tmp_path: Path) -> Iterator[Operator]:
    """Stands beside the server's data: the server may enter no other folder, and has this path to the backup, too."""
    folder = tmp_path / "postgres" / "operator"
    folder.mkdir()
    owner = folder.parent.stat()
    own_words = own_words_for(
        PAGE,
        {
            **as_superuser(primary.url("postgres"), "psql", "pg_basebackup"),
            "/backup": "../backup",
            "/var/lib/postgresql/18/main": "../data",
            "postgres:postgres": f"{owner.st_uid}:{owner.st_gid}",
        },
    )
    with an_operator(folder, {**environment, **SETTINGS, "DATABASE_URL": primary.url()}, own_words) as opened:
        yield opened


@pytest.fixture
def arena(environment: dict[str, str], primary: RunningPostgres, operator: Operator, tmp_path: Path) -> Iterator[Arena]:
    """On a server whose log is archived."""
    operator.follow(ARCHIVE)
    primary.stop()
    primary.start()
    with arena_on(primary.url(), environment, tmp_path, "pulse", "control", "slices") as opened:
        yield opened


def place(arena: Arena, number: int) -> str:
    """The id of the client's order, asked for once or again; its slices are due one after the other."""
    split = {"num_splits": SPLITS, "duration_minutes": 1, "randomize": True}
    body = {"order_unique_key": f"order-{number}", "instrument": "NSE:INFY", "side": "BUY", "total_quantity": QUANTITY}
    answer = arena.ask("POST", "/internal/orders", {**body, "split_config": split})
    assert answer is not None
    assert answer.status_code in (200, 201), answer.text
    order_id: str = answer.json()["order_id"]
    if answer.status_code == 201:
        wait_until(lambda: arena.is_split(order_id), 30, "the split")
        without_pace(order_id)
        arena.rows(STAGGER.format(every=BACK / 6), order_id)
    return order_id


def bought(arena: Arena) -> int:
    return sum(trade.quantity for trade in broker_records.from_exchange(arena.exchange_url).trades)


def sent(arena: Arena, order_ids: list[str]) -> int:
    [(count,)] = arena.rows(
        "SELECT count(*) FROM placements p JOIN order_slices s ON s.id = p.slice_id WHERE s.order_id = ANY(%s)",
        order_ids,
    )
    return int(count)


def stop_services(arena: Arena) -> None:
    for child in [one for one in arena.processes.children if one.program.name.startswith(("worker", "pulse"))]:
        child.stop(15)


def test_what_was_ordered_is_bought_once_though_the_database_was_restored_to_before_it_was_sent(
    arena: Arena, primary: RunningPostgres, operator: Operator
) -> None:
    operator.follow(TAKE)
    known = [place(arena, number) for number in range(ORDERS - FORGOTTEN)]
    wait_until(lambda: sent(arena, known) >= 2, 30, "the first slices")
    [point], began, before = query(primary.url(), "SELECT clock_timestamp()"), time.monotonic(), sent(arena, known)
    forgotten = [place(arena, number) for number in range(ORDERS - FORGOTTEN, ORDERS)]
    wait_until(lambda: sent(arena, known) >= before + 5, 30, "slices that will be forgotten")
    wait_until(lambda: sent(arena, forgotten) >= 3, 30, "slices of orders that will be forgotten")
    wait_until(lambda: time.monotonic() > began + BACK, BACK + 1, "the time that is lost")

    stop_services(arena)
    operator.follow(ARCHIVE_THE_REST)
    stood = bought(arena)
    db.engine().dispose()
    primary.child.kill()
    operator.own_words[INSTANT] = str(point)
    operator.follow(PUT_BACK)
    primary.start()
    operator.follow(FINISH, MIGRATE)
    for kind in ("pulse", "control", "slices"):
        arena.start(kind)

    wait_until(lambda: arena.rows("SELECT 1 FROM installation WHERE held_since IS NOT NULL"), 20, "the hold")
    seen = json.loads(CliRunner().invoke(main, ["recover", "--json"]).stdout)
    assert seen["hold_code"] == HoldCode.ANOTHER_DATABASE
    assert len(seen["unexplained"]) >= 3
    assert arena.rows("SELECT 1 FROM orders WHERE id = ANY(%s)", forgotten) == []
    assert bought(arena) == stood

    again = [place(arena, number) for number in range(ORDERS)]
    assert again[: len(known)] == known
    operator.follow(WAIT)
    arena.wait_until_final(60)
    assert bought(arena) == ORDERS * QUANTITY == 8100
    assert found_again(arena) >= 5
    assert arena.broken_promises() == []
    assert "0 violations" in operator.follow(VERIFY).stdout


def found_again(arena: Arena) -> int:
    return len(arena.rows("SELECT 1 FROM slice_events WHERE detail->>'code' = %s", AlarmCode.LOST_CLAIM))
