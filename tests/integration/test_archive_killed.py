"""`pulse archive` as a process killed at each of its steps, and `pulse verify` of what it left beside a ledger."""

import json
import multiprocessing
import os
import signal
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from pulse_core.clock import utcnow
from pulse_core.trading.order_totals import finish_orders
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.track import track_slices
from pulse_ops.cli import main
from pulse_ops.verify import database
from pulse_ops.verify.archived import with_archive
from tests.support.factories import a_split_order, slices_of
from tests.support.processes import Processes
from tests.support.servers import as_owner, owner_url

STEPS = ("writing", "written", "read_back", "removing", "removed")
DAYS_AGO = 10
_OLDER = "UPDATE orders SET created_at = created_at - :by, finished_at = finished_at - :by"

# Each of its processes has the command loaded already.
REAL_PROCESSES = multiprocessing.get_context("forkserver")


def run_pulse(environment: Mapping[str, str], words: tuple[str, ...]) -> None:
    """What a process of `pulse` does."""
    os.environ.update(environment)
    main(words)


@pytest.fixture
def ledger(clean_database: str, environment: dict[str, str], processes: Processes, tmp_path: Path) -> Path:
    """That of an exchange that is gone, and filled an order of ten days ago in three slices."""
    ledger = tmp_path / "ledger.sqlite"
    port = int(environment["PULSE_PAPER_EXCHANGE_URL"].rpartition(":")[2])
    exchange, _url = processes.exchange(ledger, port, PULSE_PAPER_LIMITS="false")
    changes = {"total_quantity": 30, "num_splits": 3, "duration_minutes": 1, "max_slice_multiple": 3}
    for one in slices_of(a_split_order(utcnow() - timedelta(seconds=61), **changes)):
        execute_slice(one.id)
    track_slices(utcnow())
    finish_orders(utcnow())
    exchange.kill()
    with as_owner() as connection:
        connection.execute(text(_OLDER), {"by": timedelta(days=DAYS_AGO)})
    return ledger


def test_killed_at_any_step_and_repeated_the_archive_and_the_ledger_still_agree(
    ledger: Path, clean_database: str, environment: dict[str, str], tmp_path: Path
) -> None:
    archive, points = tmp_path / "archive", tmp_path / "points"
    archive.mkdir()
    points.mkdir()
    REAL_PROCESSES.set_forkserver_preload([__name__, "pulse_ops.cli.archive"])
    of_owner = {"PULSE_OWNER_DATABASE_URL": owner_url(clean_database), "PULSE_FAILPOINT": str(points)}
    no_stack = ("--data-dir", str(tmp_path / "no-stack-here"))
    before_day = (utcnow() - timedelta(days=DAYS_AGO - 5)).date().isoformat()
    words = ("archive", "run", "--to", str(archive), "--before", before_day, *no_stack)

    def believed() -> tuple[list[object], ...]:
        found = with_archive(database.read(clean_database, "paper"), archive, "paper")
        return tuple(sorted(rows, key=repr) for rows in (found.slices, found.placements, found.fills, found.events))

    def run() -> int | None:
        process = REAL_PROCESSES.Process(target=run_pulse, args=(environment | of_owner, words))
        process.start()
        process.join(60)
        return process.exitcode

    before = believed()
    for step in STEPS:
        (points / f"archive.{step}").write_text("kill")
        assert (step, run()) == (step, -signal.SIGKILL)
        assert believed() == before

    assert run() == 0
    assert database.read(clean_database, "paper").slices == []
    assert believed() == before
    asked = ["verify", "--json", "--final", "--ledger", str(ledger), *no_stack]
    judged = CliRunner().invoke(main, [*asked, "--archive", str(archive)])
    answer = json.loads(judged.stdout)
    assert (judged.exit_code, answer["violations"]) == (0, []), judged.output
    assert [answer[one] for one in ("orders", "slices", "fills", "broker_orders")] == [1, 3, 3, 3]
    assert json.loads(CliRunner().invoke(main, asked).stdout)["violations"]
