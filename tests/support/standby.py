"""Standbys of a running Postgres: one that lacks what came after it was cut off, and one that lacks nothing."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from sqlalchemy import make_url

from pulse_ops.stack import binaries
from pulse_ops.stack.child import Child
from pulse_ops.stack.postgres import EmbeddedPostgres
from tests.support.distance import let_hosts_in, standing_on
from tests.support.hosts import Host
from tests.support.processes import wait_until
from tests.support.servers import FAST, RunningPostgres, running_postgres, start

_WRITABLE = "target_session_attrs=read-write"
_SYNCHRONOUS = "SELECT sync_state FROM pg_stat_replication"


class Standby:
    """Streams from the primary until `cut_off`."""

    def __init__(self, primary: RunningPostgres, folder: Path) -> None:
        self._primary = primary
        self._folder = folder / "standby"
        self._folder.mkdir()
        shutil.copy(folder / "postgres" / "password", self._folder / "password")
        self._server = EmbeddedPostgres(self._folder, settings=FAST)
        self._log = folder / "standby.log"
        self.child = Child(self._server.program(), self._log)

    def open(self) -> None:
        """Copy the primary and follow it."""
        copy_to(self._folder, self._primary.url("postgres"))
        start(self.child)

    def url(self) -> str:
        """Of its own, while it is a standby."""
        return self._server.url()

    def cut_off(self) -> None:
        """Take over all that is committed by now, and nothing that comes after."""
        [reached] = query(self._primary.url(), "SELECT pg_current_wal_flush_lsn()")
        self._wait("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", str(reached))
        query(self._server.url(), "ALTER SYSTEM SET primary_conninfo = ''")
        query(self._server.url(), "SELECT pg_reload_conf()")
        self._wait("SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)")

    def take_over(self) -> None:
        """Become a primary, at the address of the one that was lost."""
        query(self._server.url(), "SELECT pg_promote()")
        self.child.stop(10)
        self._server = EmbeddedPostgres(self._folder, self._primary.server.port, FAST)
        self.child = Child(self._server.program(), self._log)
        start(self.child)

    def _wait(self, question: str, *parameters: object, seconds: float = 15) -> None:
        ends_at = time.monotonic() + seconds
        while query(self._server.url(), question, *parameters) != [True]:
            assert time.monotonic() < ends_at, question
            time.sleep(0.02)


@contextmanager
def following(primary: RunningPostgres, folder: Path) -> Iterator[Standby]:
    """A standby that follows this primary, ended with the block whatever its place is then."""
    standby = Standby(primary, folder)
    try:
        standby.open()
        yield standby
    finally:
        standby.child.stop(10)


@dataclass
class SynchronousPair:
    """A primary, and a standby without which nothing is committed, on a host each. Ports are those of their hosts."""

    primary: RunningPostgres
    first: Host
    second: Host
    standby: EmbeddedPostgres
    child: Child

    def urls(self, url: str) -> tuple[str, str]:
        """A URL of the primary for both hosts: as Postgres has it, and as SQLAlchemy has it."""
        stated = make_url(url)
        places = [(self.first.address, self.primary.server.port), (self.second.address, self.standby.port)]
        role, named = f"{stated.username}:{stated.password}", [f"{host}:{port}" for host, port in places]
        as_postgres = f"postgresql://{role}@{','.join(named)}/{stated.database}?{_WRITABLE}"
        as_sqlalchemy = f"postgresql://{role}@/{stated.database}?{'&'.join(f'host={one}' for one in named)}&{_WRITABLE}"
        return as_postgres, as_sqlalchemy

    def promote(self) -> None:
        with standing_on(self.second):
            query(self.standby.url(), "SELECT pg_promote()")

    def commits_wait(self) -> bool:
        with standing_on(self.first):
            [waiting] = query(self.primary.url(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            return bool(waiting)

    def bring_the_standby_back(self) -> None:
        with standing_on(self.second):
            start(self.child)

    def go_without_a_standby(self) -> None:
        with standing_on(self.first):
            query(self.primary.url(), "ALTER SYSTEM SET synchronous_standby_names = ''")
            query(self.primary.url(), "SELECT pg_reload_conf()")


@contextmanager
def synchronous_pair(first: Host, second: Host, folder: Path) -> Iterator[SynchronousPair]:
    """A primary without tables on the first host, and the standby that it waits for on the second."""
    beside = folder / "standby"
    beside.mkdir()
    with standing_on(first), running_postgres(folder, listen_addresses="*") as primary:
        let_hosts_in(primary, folder)
        for name in ("password", "services_password"):
            shutil.copy(folder / "postgres" / name, beside / name)
        server = EmbeddedPostgres(beside, settings=FAST | {"listen_addresses": "*"})
        child = Child(server.program(), folder / "standby.log")
        try:
            with standing_on(second):
                url = make_url(primary.url("postgres")).set(host=first.address)
                copy_to(beside, url.render_as_string(hide_password=False))
                start(child)
            query(primary.url(), "ALTER SYSTEM SET synchronous_standby_names = '*'")
            query(primary.url(), "SELECT pg_reload_conf()")
            wait_until(lambda: query(primary.url(), _SYNCHRONOUS) == ["sync"], 30, "a synchronous standby")
            yield SynchronousPair(primary, first, second, server, child)
        finally:
            child.stop(10)


def copy_to(folder: Path, url: str) -> None:
    """Let `folder` be that of a standby of this server."""
    data = folder / "data"
    run("pg_basebackup", "-D", str(data), "-R", "-c", "fast", "-d", url)
    owner = folder.stat()
    for path in (data, *data.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)


def query(url: str, statement: str, *parameters: object) -> list[object]:
    """The first column of what a statement finds, run by itself."""
    with closing(psycopg2.connect(url, connect_timeout=5)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return [row[0] for row in cursor.fetchall()] if cursor.description else []


def run(program: str, *arguments: str) -> None:
    """Run a program of Postgres's to its end."""
    done = subprocess.run(
        [str(binaries.postgres_bin() / program), *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
