"""Migrations lock no table with many rows for long: the rules that new ones keep, and what they are made of."""

from collections.abc import Callable, Iterator
from contextlib import closing
from uuid import uuid4

import psycopg2
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError, OperationalError

from pulse_core import migrations
from pulse_core.db import psycopg2_url
from pulse_core.migrations import gently
from tests.support.migration_rules import NEWEST_OF_BEFORE, Sent, broken_by, sent
from tests.support.servers import RunningPostgres

KEEPS_ORDERS_WAITING = [
    "CREATE INDEX ix_fills_at ON fills (recorded_at)",
    "CREATE UNIQUE INDEX ix_fills_at ON fills (recorded_at)",
    "ALTER TABLE slice_events ADD CONSTRAINT ck_kind CHECK (kind IN ('MOVE'))",
    "ALTER TABLE placements ADD COLUMN turn VARCHAR(20) CHECK (turn <> '')",
    "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY(account_id) REFERENCES accounts (id)",
    "ALTER TABLE orders ADD CONSTRAINT uq UNIQUE (seed)",
    "ALTER TABLE order_slices ALTER COLUMN quantity TYPE NUMERIC",
    "ALTER TABLE order_slices ALTER COLUMN note SET NOT NULL",
    "ALTER TABLE order_slices ADD COLUMN at TIMESTAMPTZ DEFAULT clock_timestamp()",
    "UPDATE slice_events\n   SET kind = 'MOVE'",
    "DELETE FROM audit_entries",
]
KEEPS_NOBODY_WAITING = [
    Sent("CREATE INDEX CONCURRENTLY ix_fills_at ON fills (recorded_at)", is_by_itself=True),
    Sent("ALTER TABLE slice_events ADD CONSTRAINT ck_kind CHECK (kind IN ('MOVE')) NOT VALID"),
    Sent("ALTER TABLE slice_events VALIDATE CONSTRAINT ck_kind"),
    Sent("ALTER TABLE orders ADD COLUMN archived_at TIMESTAMPTZ"),
    Sent("ALTER TABLE orders ADD COLUMN recalls BOOLEAN DEFAULT false NOT NULL"),
    Sent("UPDATE slice_events SET kind = 'MOVE' WHERE id IN (SELECT 1)", is_by_itself=True),
    Sent("UPDATE installation SET held_since = NULL"),
    Sent("CREATE TABLE orders (id BIGINT)"),
    Sent("CREATE INDEX ix_orders_id ON orders (id)"),
]


@pytest.fixture(scope="module")
def database(postgres: RunningPostgres) -> Iterator[Engine]:
    """Migrated to before the rules."""
    name = f"gentle_{uuid4().hex}"
    with closing(psycopg2.connect(postgres.url("postgres"))) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
    migrations.upgrade(postgres.url(name), NEWEST_OF_BEFORE)
    engine = create_engine(psycopg2_url(postgres.url(name)))
    yield engine
    engine.dispose()


def run(engine: Engine, deed: Callable[[], object]) -> object:
    """As a revision is run."""
    with engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '100ms'"))
        connection.commit()
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
        with context.begin_transaction(_per_migration=True), Operations.context(context):
            return deed()


def rows(engine: Engine, query: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.mark.parametrize("statement", KEEPS_ORDERS_WAITING)
def test_what_would_keep_orders_waiting_is_found(statement: str) -> None:
    assert len(broken_by([Sent(statement)])) == 1


def test_what_keeps_nobody_waiting_is_let_through() -> None:
    assert broken_by(KEEPS_NOBODY_WAITING) == []


def test_no_new_revision_keeps_orders_waiting_up_or_down(database: Engine) -> None:
    url = database.url.render_as_string(hide_password=False)
    with sent() as statements:
        migrations.upgrade(url)
        migrations.downgrade(url, NEWEST_OF_BEFORE)

    assert broken_by(statements) == []
    assert sum("lock_timeout" in one.text for one in statements) == 2


def test_an_index_is_made_beside_writers_and_again_after_an_attempt_that_was_broken_off(database: Engine) -> None:
    def add() -> None:
        gently.add_index("ix_seed", "orders", ["seed"])

    is_valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_seed')"
    with database.connect() as writer:
        writer.execute(text("LOCK TABLE orders IN ROW EXCLUSIVE MODE"))
        with pytest.raises(OperationalError, match="lock timeout"):
            run(database, add)
        assert rows(database, is_valid) == [(False,)]

    run(database, add)
    run(database, add)
    assert rows(database, is_valid) == [(True,)]
    for _ in range(2):
        run(database, lambda: gently.drop_index("ix_seed", "orders"))
    assert rows(database, is_valid) == []


def test_a_check_is_replaced_and_says_so_when_a_row_breaks_it(database: Engine) -> None:
    run(database, lambda: gently.set_check("ck_seen", "installation", "id IN (1, 2)"))
    run(database, lambda: gently.set_check("ck_seen", "installation", "id = 1"))
    found = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_seen'"
    assert rows(database, found) == [("CHECK ((id = 1))",)]

    with pytest.raises(IntegrityError, match="ck_seen"):
        run(database, lambda: gently.set_check("ck_seen", "installation", "id = 2"))


def test_rows_are_changed_in_batches_and_only_once(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE many AS SELECT id, NULL::int AS twice FROM generate_series(1, 25) id"))

    def double() -> int:
        return gently.change_rows("UPDATE many SET twice = 2 * id", "many", "twice IS NULL AND id <> 7", batch=10)

    with sent() as statements:
        assert run(database, double) == 24

    assert [one.is_by_itself for one in statements if "UPDATE" in one.text] == [True] * 3
    assert rows(database, "SELECT id FROM many WHERE twice IS DISTINCT FROM 2 * id") == [(7,)]
    assert run(database, double) == 0
    assert run(database, lambda: gently.change_rows("DELETE FROM many", "many", "id > 3", batch=10)) == 22
    assert run(database, lambda: gently.change_rows("DELETE FROM many", "many", "true", batch=10)) == 3
    assert run(database, double) == 0
