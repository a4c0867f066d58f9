"""A base backup and an archived log of a running Postgres, and the way back from them to an instant."""

import shutil
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import psycopg2

from tests.support.servers import RunningPostgres
from tests.support.standby import query, run

# Of the server's folder, in which it works: its user may enter no other.
_ARCHIVE = "../archive"
# As docs/operations.md has them.
ARCHIVED = {
    "archive_mode": "on",
    "archive_command": f"test ! -f {_ARCHIVE}/%f && cp %p {_ARCHIVE}/%f",
    "full_page_writes": "on",
}


class Backup:
    """Of a server that runs with the settings ARCHIVED."""

    def __init__(self, primary: RunningPostgres, folder: Path) -> None:
        self._primary = primary
        self._server = folder / "postgres"
        self._base = self._server / "base"
        self._give_away(self._server / "archive", is_made=True)

    def take(self) -> None:
        """Copy the server while it works."""
        run("pg_basebackup", "-D", str(self._base), "-c", "fast", "-d", self._primary.url("postgres"))

    def now(self) -> datetime:
        """An instant of the server's clock."""
        [found] = query(self._primary.url(), "SELECT clock_timestamp()")
        assert isinstance(found, datetime)
        return found

    def archive_the_rest(self) -> None:
        """Have all that was committed by now in the archive."""
        [file] = query(self._primary.url("postgres"), "SELECT pg_walfile_name(pg_switch_wal())")
        self._wait(f"SELECT last_archived_wal >= '{file}' FROM pg_stat_archiver")

    def restore(self, until: datetime) -> None:
        """Lose the server, and put what it had committed by then in its place."""
        self._primary.child.kill()
        data = self._server / "data"
        data.rename(self._server / "lost")
        self._base.rename(data)
        (data / "recovery.signal").touch()
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                f"restore_command = 'cp {_ARCHIVE}/%f %p'\n"
                f"recovery_target_time = '{until.isoformat()}'\n"
                "recovery_target_action = 'promote'\n"
            )
        for path in (data, *data.rglob("*")):
            self._give_away(path)
        self._primary.start()
        self._wait("SELECT NOT pg_is_in_recovery()")

    def _give_away(self, path: Path, *, is_made: bool = False) -> None:
        if is_made:
            path.mkdir()
        owner = self._server.stat()
        shutil.chown(path, owner.st_uid, owner.st_gid)

    def _wait(self, question: str, seconds: float = 30) -> None:
        ends_at = time.monotonic() + seconds
        with closing(psycopg2.connect(self._primary.url("postgres"), connect_timeout=10)) as connection:
            connection.autocommit = True
            while True:
                with connection.cursor() as cursor:
                    cursor.execute(question)
                    if cursor.fetchone() == (True,):
                        return
                assert time.monotonic() < ends_at, question
                time.sleep(0.05)
