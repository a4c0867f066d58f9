"""The database goes up and down, ends as the models say, and survives two migrations at once."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from uuid import uuid4

import psycopg2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine

from pulse_core import migrations
from pulse_core.db import psycopg2_url
from pulse_core.models import Base
from tests.servers import RunningPostgres

DEFINITIONS = """
    SELECT rel.relname, con.conname, pg_get_constraintdef(con.oid)
      FROM pg_constraint con JOIN pg_class rel ON rel.oid = con.conrelid
     WHERE con.connamespace = 'public'::regnamespace AND rel.relname <> 'alembic_version'
    UNION ALL
    SELECT tablename, indexname, indexdef FROM pg_indexes
     WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    UNION ALL
    SELECT table_name, column_name,
           concat_ws(' ', data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable,
                     is_identity, identity_generation, column_default)
      FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
"""


@pytest.fixture
def new_database(postgres: RunningPostgres) -> Iterator[Engine]:
    name = f"migrated_{uuid4().hex}"
    with closing(psycopg2.connect(postgres.url("postgres"))) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
    engine = create_engine(psycopg2_url(postgres.url(name)))
    yield engine
    engine.dispose()


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def definitions(engine: Engine) -> set[tuple[str, str, str]]:
    """Every column, constraint and index with its definition as Postgres states it."""
    with engine.connect() as connection:
        return {(row[0], row[1], row[2]) for row in connection.execute(text(DEFINITIONS))}


def tables(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        return set(rows.scalars()) - {"alembic_version"}


def test_up_down_to_nothing_and_up_again(new_database: Engine) -> None:
    migrations.upgrade(url_of(new_database))
    first = definitions(new_database)
    migrations.downgrade(url_of(new_database), "base")

    assert (tables(new_database), migrations.current(url_of(new_database))) == (set(), None)

    migrations.upgrade(url_of(new_database))

    assert definitions(new_database) == first
    assert migrations.current(url_of(new_database)) == migrations.head()


def test_migrating_a_migrated_database_changes_nothing(new_database: Engine) -> None:
    migrations.upgrade(url_of(new_database))
    before = definitions(new_database)
    migrations.upgrade(url_of(new_database))

    assert definitions(new_database) == before


def test_the_migrated_database_is_what_the_models_say(new_database: Engine) -> None:
    migrations.upgrade(url_of(new_database))

    with new_database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_every_column_check_and_index_is_defined_as_in_the_models(
    new_database: Engine, postgres: RunningPostgres
) -> None:
    migrations.upgrade(url_of(new_database))
    migrated = definitions(new_database)
    migrations.downgrade(url_of(new_database), "base")
    Base.metadata.create_all(new_database)

    assert definitions(new_database) == migrated


def test_every_status_column_refuses_a_word_that_is_no_status(new_database: Engine) -> None:
    migrations.upgrade(url_of(new_database))
    checks = {(table, name) for table, name, definition in definitions(new_database) if "CHECK" in definition}

    assert {
        ("orders", "ck_orders_status"),
        ("order_slices", "ck_order_slices_status"),
        ("placements", "ck_placements_outcome"),
        ("slice_events", "ck_slice_events_kind"),
        ("accounts", "ck_accounts_role"),
    } <= checks


def test_two_migrations_at_once_wait_for_each_other(new_database: Engine) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(migrations.upgrade, [url_of(new_database)] * 2))

    assert migrations.current(url_of(new_database)) == migrations.head()
