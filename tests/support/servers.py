"""Real Postgres and Redis servers for tests, each in a folder of its own on a free port."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest
import redis
from sqlalchemy import Connection, create_engine

from pulse_core import config, db, migrations
from pulse_core.broker_accounts import directory
from pulse_core.migrations.rights import let_services_in
from pulse_core.trading.order import halted
from pulse_ops.stack.child import Child, wait_until_ready
from pulse_ops.stack.postgres import EmbeddedPostgres
from pulse_ops.stack.redis import EmbeddedRedis

# A crash of the machine is not tested, a crash of the server is: it keeps what it wrote without fsync too.
FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}

# To truncate makes new files for every table and index, which takes twenty times as long as to delete the few rows of a
# test. What would be left of many of them is not worth looking through, and then new files are.
EMPTY = """
DO $$
DECLARE
    tables text[] := array_agg(quote_ident(tablename) ORDER BY tablename) FROM pg_tables
        WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'installation');
    name text;
BEGIN
    IF tables IS NULL THEN
        RETURN;
    END IF;
    EXECUTE 'LOCK TABLE ' || array_to_string(tables, ', ');
    IF (SELECT sum(pg_relation_size(one::regclass)) FROM unnest(tables) AS one) > 4000000 THEN
        EXECUTE 'TRUNCATE ' || array_to_string(tables, ', ') || ' RESTART IDENTITY CASCADE';
        RETURN;
    END IF;
    SET LOCAL session_replication_role = replica;
    FOREACH name IN ARRAY tables LOOP
        EXECUTE 'DELETE FROM ' || name;
    END LOOP;
    PERFORM setval(format('%I', sequencename)::regclass, start_value, false)
        FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
END $$
"""

# Who may do what the services may not, by the URL of the services.
OWNERS: dict[str, str] = {}
# Sessions of owners, by their URL.
_sessions: dict[str, psycopg2.extensions.connection] = {}


def owner_url(services_url: str) -> str:
    """The same database for the owner of its tables."""
    return OWNERS.get(services_url, services_url)


def upgrade(services_url: str) -> None:
    """Migrate as the owner, and let the services in."""
    owner = owner_url(services_url)
    migrations.upgrade(owner)
    if owner != services_url:
        let_services_in(owner, services_url)


@contextmanager
def as_owner() -> Iterator[Connection]:
    """A transaction in the database of this process, for what no service may do."""
    engine = create_engine(db.psycopg2_url(owner_url(os.environ["DATABASE_URL"])))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@dataclass
class RunningPostgres:
    server: EmbeddedPostgres
    child: Child

    def url(self, database: str = "pulse") -> str:
        """For the owner."""
        return self.server.url(database)

    def migrated(self, database: str = "pulse") -> str:
        """The URL of the migrated database for the role of the services."""
        services_url = self.server.services_url(database)
        OWNERS[services_url] = self.url(database)
        upgrade(services_url)
        return services_url

    def start(self) -> None:
        start(self.child)

    def stop(self) -> None:
        self.child.stop(10)


@dataclass
class RunningRedis:
    server: EmbeddedRedis
    child: Child

    @property
    def url(self) -> str:
        return self.server.url

    def start(self) -> None:
        start(self.child)

    def stop(self) -> None:
        self.child.stop(10)


@contextmanager
def running_postgres(folder: Path, **settings: str) -> Iterator[RunningPostgres]:
    server = EmbeddedPostgres(folder / "postgres", settings=FAST | settings)
    running = RunningPostgres(server, Child(server.program(), folder / "postgres.log"))
    try:
        running.start()
        server.create_database()
        yield running
    finally:
        running.stop()


@contextmanager
def connected_to(database_url: str) -> Iterator[None]:
    """Let this process work on another database for a while."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DATABASE_URL", database_url)
            forget_settings()
            yield
    finally:
        forget_settings()


def forget_settings() -> None:
    """Have settings and connections of this process made anew when they are next needed."""
    for engine in (db._direct_engine, db._usual_engine):
        if engine.cache_info().currsize:
            engine().dispose()
        engine.cache_clear()
    config.settings.cache_clear()
    directory.forget()
    halted.forget()


@contextmanager
def running_redis(folder: Path) -> Iterator[RunningRedis]:
    server = EmbeddedRedis(folder / "redis")
    running = RunningRedis(server, Child(server.program(), folder / "redis.log"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


def start(child: Child, seconds: float = 60) -> None:
    child.start()
    if not wait_until_ready(child, seconds):
        tail = child.log_tail(40)
        child.kill()
        raise AssertionError(f"{child.program.name} did not become ready:\n{tail}")


def empty_database(url: str) -> None:
    """Remove every row of every table, whatever refers to it."""
    directory.forget()
    halted.forget()
    session = _owners_session(owner_url(url))
    with session.cursor() as cursor:
        try:
            cursor.execute(EMPTY)
        except psycopg2.errors.LockNotAvailable:
            # A transaction that a test left open. Those of running services are short: none of them lasts a second.
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - interval '1s'"
            )
            cursor.execute("SET lock_timeout = 0")
            cursor.execute(EMPTY)


def _owners_session(url: str) -> psycopg2.extensions.connection:
    """One that is kept, as all that it knows of the tables costs more than to empty them."""
    if (kept := _sessions.get(url)) and _is_patient(kept):
        return kept
    _sessions[url] = psycopg2.connect(url, connect_timeout=10)
    _sessions[url].autocommit = True
    _is_patient(_sessions[url])
    return _sessions[url]


def _is_patient(session: psycopg2.extensions.connection) -> bool:
    """Let it wait a second for a lock, if it still lives: its server may have been stopped."""
    try:
        with session.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        return False
    return True


def empty_redis(url: str) -> None:
    client = redis.Redis.from_url(url)
    try:
        client.flushall()
    finally:
        client.close()
