"""A standby of a running Postgres, which lacks what was committed after it was cut off and takes its place."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

from pulse_ops.stack import binaries
from pulse_ops.stack.child import Child
from pulse_ops.stack.postgres import EmbeddedPostgres
from tests.support.servers import FAST, RunningPostgres, start


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
        data = self._folder / "data"
        run("pg_basebackup", "-D", str(data), "-R", "-c", "fast", "-d", self._primary.url("postgres"))
        owner = self._folder.stat()
        for path in (data, *data.rglob("*")):
            shutil.chown(path, owner.st_uid, owner.st_gid)
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
