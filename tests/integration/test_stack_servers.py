"""The embedded servers keep their data and their place, whatever ends them."""

import os
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from pulse_ops.stack import binaries
from pulse_ops.stack.child import Child
from pulse_ops.stack.postgres import EmbeddedPostgres
from pulse_ops.stack.redis import client_for_one_question
from tests.support.servers import RunningPostgres, running_postgres, running_redis, start

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another user")


def ask(postgres: RunningPostgres, statement: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(postgres.url())) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    yield folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_postgres_keeps_its_data_over_a_restart_and_a_crash(tmp_path: Path) -> None:
    with running_postgres(tmp_path) as postgres:
        ask(postgres, "CREATE TABLE kept AS SELECT 7 AS n")
        postgres.stop()
        postgres.start()
        os.kill(postgres.child.pid, signal.SIGKILL)
        postgres.child.wait(5)
        postgres.start()
        assert ask(postgres, "SELECT n FROM kept") == [(7,)]


def test_postgres_asks_for_a_password_and_checks_its_pages(tmp_path: Path) -> None:
    with running_postgres(tmp_path) as postgres:
        assert ask(postgres, "SHOW data_checksums") == [("on",)]
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(postgres.url().replace(":" + postgres.url().split(":")[2].split("@")[0], ":wrong"))


def test_passwords_are_private_and_not_on_a_command_line(tmp_path: Path) -> None:
    with running_postgres(tmp_path) as postgres, running_redis(tmp_path) as valkey:
        for name, running in (("postgres", postgres), ("redis", valkey)):
            secret = tmp_path / name / "password"
            assert stat.S_IMODE(secret.stat().st_mode) == 0o600
            assert secret.read_text() not in " ".join(psutil.Process(running.child.pid).cmdline())


def test_a_postgres_that_lost_its_supervisor_is_ended_before_the_next_one_starts(tmp_path: Path) -> None:
    with running_postgres(tmp_path) as orphan:
        ask(orphan, "CREATE TABLE kept AS SELECT 7 AS n")
        with closing(psycopg2.connect(orphan.url())) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO kept VALUES (8)")
            successor = EmbeddedPostgres(tmp_path / "postgres", orphan.server.port)
            child = Child(successor.program(), tmp_path / "successor.log")
            try:
                start(child)
                assert orphan.child.exit_code is not None
                assert ask(orphan, "SELECT n FROM kept") == [(7,)]
            finally:
                child.stop(10)
        # A last checkpoint, while transactions go on, would let them count as done after the recovery.
        assert "shutting down" not in orphan.child.log_path.read_text()


def test_a_stale_pid_file_that_names_a_living_process_is_no_obstacle(tmp_path: Path) -> None:
    with running_postgres(tmp_path) as postgres:
        postgres.stop()
        stale = tmp_path / "postgres" / "data" / "postmaster.pid"
        stale.write_text(f"{os.getppid()}\n{stale.parent}\n1\n5432\n\n127.0.0.1\n\nready\n")
        postgres.start()
        assert ask(postgres, "SELECT 1") == [(1,)]


def test_a_cluster_that_was_left_half_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data.new" / "base").mkdir(parents=True)
    with running_postgres(tmp_path) as postgres:
        assert ask(postgres, "SELECT 1") == [(1,)]


@as_root
def test_root_runs_postgres_as_another_user_below_a_folder_that_only_root_may_enter(closed_folder: Path) -> None:
    with running_postgres(closed_folder) as postgres:
        assert psutil.Process(postgres.child.pid).uids().real != 0
        ask(postgres, "CREATE TABLE kept AS SELECT 7 AS n")
        postgres.stop()
        postgres.start()
        assert ask(postgres, "SELECT n FROM kept") == [(7,)]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@as_root
def test_programs_that_only_root_may_reach_are_run_from_a_copy(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = binaries.postgres_bin().parents[1]
    monkeypatch.setattr(binaries, "_SHARED_FOLDERS", (open_folder,))
    monkeypatch.setattr(binaries, "is_open_to_all", lambda path: not path.is_relative_to(package))
    first, again = binaries.postgres_bin_open_to_all(), binaries.postgres_bin_open_to_all()
    assert first == again
    assert first.is_relative_to(open_folder)
    subprocess.run([first / "postgres", "--version"], check=True, cwd="/", user=65534, group=65534, extra_groups=())


def test_redis_keeps_its_messages_over_a_crash_and_never_drops_any_for_room(tmp_path: Path) -> None:
    with running_redis(tmp_path) as valkey, closing(redis.Redis.from_url(valkey.url)) as client:
        client.lpush("slices", "one")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.bgrewriteaof()
        os.kill(valkey.child.pid, signal.SIGKILL)
        valkey.child.wait(5)
        valkey.start()
        assert client.llen("slices") == 1


def test_redis_refuses_who_has_no_password(tmp_path: Path) -> None:
    with running_redis(tmp_path) as valkey:
        nameless = f"redis://127.0.0.1:{valkey.server.port}"
        with closing(client_for_one_question(nameless)) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
