"""The role of the services reads and writes rows; the tables belong to another, who migrates."""

import secrets
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import psycopg2.errors
import pytest
from click.testing import CliRunner
from psycopg2.errors import InsufficientPrivilege
from sqlalchemy import create_engine, make_url, text

from pulse_core import db, migrations
from pulse_core.migrations.rights import DELETED_FROM, OneRole, let_services_in
from pulse_core.schema import METADATA
from pulse_ops.cli import main
from tests.support import servers
from tests.support.servers import RunningPostgres

RIGHTS = "SELECT array_agg(privilege_type::text) FROM information_schema.role_table_grants WHERE grantee = current_user"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (n int)", "ALTER TABLE orders ADD COLUMN more int", "DROP TABLE orders", "TRUNCATE fills",
        "CREATE INDEX more ON orders (id)", "UPDATE alembic_version SET version_num = 'x'",
        "CREATE ROLE more", "COPY orders TO PROGRAM 'true'", "ALTER TABLE orders DISABLE TRIGGER ALL",
        "SET session_replication_role = replica", "SELECT rolpassword FROM pg_authid",
    ],
)  # fmt: skip
def test_the_services_change_no_table_and_no_role(environment: dict[str, str], statement: str) -> None:
    connect = psycopg2.connect(environment["DATABASE_URL"])
    with closing(connect) as connection, connection.cursor() as cursor, pytest.raises(InsufficientPrivilege):
        cursor.execute(statement)


def test_the_services_delete_what_is_meant_to_go_and_nothing_else(environment: dict[str, str]) -> None:
    with closing(psycopg2.connect(environment["DATABASE_URL"])) as connection, connection.cursor() as cursor:
        for table in (*METADATA.tables, "alembic_version"):
            cursor.execute(RIGHTS + " AND table_name = %s", (table,))
            (found,) = cursor.fetchone()
            written = {"SELECT"} if table == "alembic_version" else {"SELECT", "INSERT", "UPDATE"}
            assert set(found) == written | ({"DELETE"} if table in DELETED_FROM else set()), table
        cursor.execute("SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = USER")
        assert cursor.fetchone() == (False,) * 4


def test_this_process_and_those_that_tests_start_come_as_the_services(environment: dict[str, str]) -> None:
    with db.statement() as connection:
        assert connection.scalar(text("SELECT current_user")) == "pulse_run"
    assert make_url(environment["DATABASE_URL"]).username == "pulse_run"


@pytest.fixture
def new_database(postgres: RunningPostgres) -> Iterator[str]:
    name = f"rights_{secrets.token_hex(4)}"
    engine = create_engine(db.psycopg2_url(postgres.url("postgres")), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield postgres.url(name)
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        connection.execute(text("DROP ROLE IF EXISTS desk_run"))
    engine.dispose()


def as_desk(owner_url: str, password: str) -> str:
    return make_url(owner_url).set(username="desk_run", password=password).render_as_string(hide_password=False)


def test_the_command_migrates_as_the_owner_and_makes_the_role_with_its_password(
    new_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_OWNER_DATABASE_URL", new_database)
    for password in ("first/of@all", "another"):
        services_url = as_desk(new_database, password)
        monkeypatch.setenv("DATABASE_URL", services_url)
        done = CliRunner().invoke(main, ["migrate"])
        assert (done.exit_code, done.stdout.strip()) == (0, migrations.head()), done.output
        with closing(psycopg2.connect(services_url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM orders")
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(as_desk(new_database, "first/of@all"))
    monkeypatch.setenv("DATABASE_URL", new_database)
    refused = CliRunner().invoke(main, ["migrate"])
    assert refused.exit_code == 1
    assert "must name two roles, not pulse twice" in refused.stderr


def test_tables_of_a_later_migration_are_open_to_the_services_and_rights_too_many_are_taken_back(
    new_database: str,
) -> None:
    services_url = as_desk(new_database, "x")
    migrations.upgrade(new_database, "0011")
    let_services_in(new_database, services_url)
    migrations.upgrade(new_database)
    engine = create_engine(db.psycopg2_url(new_database))
    with engine.begin() as connection:
        connection.execute(text("GRANT TRUNCATE, DELETE ON fills TO desk_run"))
    engine.dispose()
    with closing(psycopg2.connect(services_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM processes")
    let_services_in(new_database, services_url)
    with closing(psycopg2.connect(services_url)) as connection, connection.cursor() as cursor:
        cursor.execute(RIGHTS + " AND table_name = 'fills'")
        assert set(cursor.fetchone()[0]) == {"SELECT", "INSERT", "UPDATE"}


def test_one_role_for_both_is_refused(postgres: RunningPostgres) -> None:
    with pytest.raises(OneRole):
        let_services_in(postgres.url(), postgres.url())


def test_the_password_of_the_services_is_in_no_log_of_postgres(postgres: RunningPostgres, database_url: str) -> None:
    password = make_url(database_url).password
    assert password is not None
    assert str(password) not in postgres.child.log_path.read_text()
    assert servers.owner_url(database_url) == postgres.url()
