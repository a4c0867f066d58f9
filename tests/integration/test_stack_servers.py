"""The embedded servers keep their data and their place, whatever ends them."""

import os
import signal
from contextlib import closing
from pathlib import Path

import psycopg2

from tests.servers import RunningPostgres, running_postgres


def rows(postgres: RunningPostgres, statement: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(postgres.url())) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_postgres_keeps_its_data_over_a_restart_and_a_crash(tmp_path: Path) -> None:
    with running_postgres(tmp_path) as postgres:
        rows(postgres, "CREATE TABLE kept AS SELECT 7 AS n")
        postgres.stop()
        postgres.start()
        os.kill(postgres.child.pid, signal.SIGKILL)
        postgres.child.wait(5)
        postgres.start()
        assert rows(postgres, "SELECT n FROM kept") == [(7,)]
