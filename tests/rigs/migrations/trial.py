"""A million slices in the tables of two revisions ago, which are migrated while orders trade: `make migrations`."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from alembic import op
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, text

from bench import year_rows
from bench.year_rows import History
from pulse_core.db import psycopg2_url
from pulse_core.migrations import gently
from tests.support.traders import a_trader
from tests.support.upgrades import Upgrade, failures, installation_of, migrate, old_tree_in

pytestmark = pytest.mark.timeout(3600)

SLICES = int(os.environ.get("MIGRATED_SLICES", "1000000"))
DAYS = 20
# No slice may be sent later than this, in seconds.
LATEST = float(os.environ.get("MIGRATED_LATEST", "5"))
_KINDS = "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conname = 'ck_slice_events_kind'"


@pytest.fixture
def upgrade(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Upgrade]:
    with installation_of(old_tree_in(tmp_path_factory.mktemp("old")), tmp_path) as opened:
        yield opened


def test_orders_trade_while_the_tables_with_all_their_rows_are_migrated(upgrade: Upgrade) -> None:
    installation = upgrade.installation
    a_trader("", upgrade.postgres.url())
    timed("filled", lambda: fill(upgrade))
    for kind in ("pulse", "gapi", "control", "slices", "beat"):
        upgrade.start(upgrade.old, kind)
    installation.gapi_url = f"http://127.0.0.1:{upgrade.ports['gapi']}"
    installation.trade(is_watching=True)
    installation.wait_for_trades()

    timed("migrated", lambda: migrate(upgrade.new))
    installation.wait_for_trades()
    # What the revisions on the way do not need, the next ones may.
    for name, deed in DEEDS.items():
        timed(name, lambda deed=deed: as_a_revision(upgrade, deed))
        installation.wait_for_trades()

    latest = installation.worst_lateness()
    click.echo(f"latest slice: {latest:.2f} s")
    assert latest <= LATEST
    installation.come_to_an_end()
    assert installation.broken_promises() == []
    assert installation.trader.unexpected == []
    assert failures(upgrade) == []


def fill(upgrade: Upgrade) -> None:
    # Of an account that no process knows: its orders are in the book of no exchange.
    year_rows.fill(upgrade.postgres.url(), History(DAYS, SLICES // DAYS, broker_account="elsewhere"))


def timed(what: str, deed: Callable[[], object]) -> None:
    began = time.monotonic()
    deed()
    click.echo(f"{what}: {time.monotonic() - began:.1f} s")


def as_a_revision(upgrade: Upgrade, deed: Callable[[], object]) -> None:
    engine = create_engine(psycopg2_url(upgrade.postgres.url()))
    with engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '2s'"))
        connection.commit()
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
        with context.begin_transaction(_per_migration=True), Operations.context(context):
            deed()
    engine.dispose()


def replace_check() -> None:
    gently.set_check("ck_slice_events_kind", "slice_events", str(op.get_bind().scalar(text(_KINDS))))


DEEDS: dict[str, Callable[[], object]] = {
    "a column added": lambda: op.execute("ALTER TABLE order_slices ADD COLUMN trial INTEGER"),
    "rows changed": lambda: gently.change_rows("UPDATE order_slices SET trial = 1", "order_slices", "trial IS NULL"),
    "an index added": lambda: gently.add_index("ix_trial", "order_slices", ["trial", "id"]),
    "a check replaced": replace_check,
}
