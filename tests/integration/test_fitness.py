"""No process begins with a database that it cannot work with: what may pass is waited for, the rest ends it."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from api_contract.troubles import troubles
from pulse_app import health
from pulse_core import config, db, fitness, migrations
from pulse_core.errors import DatabaseUnavailable, WrongTables
from pulse_core.health.agreement import differences
from pulse_core.health.reporter import Reporter, identity
from pulse_core.health.settings_digest import shared
from pulse_core.health.sweep_journal import SweepJournal
from pulse_core.health.vocabulary import ProcessKind
from pulse_core.postgres import handshake, lineage
from pulse_ops.stack import processes
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.processes import Listen
from tests.support import servers
from tests.support.pgbouncer import running_pgbouncer
from tests.support.servers import RunningPostgres, as_owner, connected_to, running_postgres
from tests.support.standby import following, query

STARTS = {
    "worker": processes.worker_control(),
    "beat": processes.beat(),
    "pulse": processes.pulse(Listen("127.0.0.1", free_port())),
}


@pytest.fixture(scope="module")
def without_tables(postgres: RunningPostgres) -> str:
    postgres.server.create_database("empty")
    return postgres.url("empty")


@pytest.fixture(autouse=True)
def said_anew() -> Iterator[None]:
    troubles.forget()
    yield
    troubles.forget()


@pytest.mark.parametrize("process", STARTS)
def test_nothing_starts_without_tables(process: str, without_tables: str, environment: dict[str, str]) -> None:
    variables = {**environment, "DATABASE_URL": without_tables}
    command = processes.executable(STARTS[process])
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode != 0
    assert f"{process} cannot start: {handshake.EMPTY}." in ended.stderr


def test_a_database_without_tables_is_not_ready(without_tables: str) -> None:
    with connected_to(without_tables), pytest.raises(DatabaseUnavailable, match="run `pulse migrate`") as refused:
        health.check_ready()
    assert refused.value.details == {"missing": ["tables"]}


@pytest.mark.parametrize(
    ("newest", "oldest", "sentence"),
    [
        ("0009", "0009", "this code works with 0009 at most"),
        ("9999", "9998", "this code needs 9998 or newer: run `pulse migrate`"),
    ],
)
def test_tables_of_another_revision_are_refused(
    newest: str, oldest: str, sentence: str, clean_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshake, "newest_revision", lambda: newest)
    monkeypatch.setattr(handshake, "oldest_revision", lambda: oldest)
    with pytest.raises(WrongTables, match=sentence):
        fitness.check()
    with pytest.raises(SystemExit, match=f"^beat cannot start: the tables are at revision .*{sentence}"):
        fitness.wait_until_fit("beat")


def test_newer_tables_let_in_the_code_that_they_name(clean_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    head = migrations.head()
    monkeypatch.setattr(handshake, "newest_revision", lambda: "0001")
    monkeypatch.setattr(handshake, "oldest_revision", lambda: "0001")
    with as_owner() as connection:
        assert connection.scalar(text("SELECT oldest_code FROM installation")) == handshake.oldest_code_for(head)
        connection.execute(text("UPDATE installation SET oldest_code = '0001'"))
    try:
        fitness.check()
    finally:
        with as_owner() as connection:
            handshake.note_oldest_code(connection, head)


def test_what_the_revisions_say_of_each_other_can_be() -> None:
    assert handshake.newest_revision() == migrations.head()
    assert handshake.oldest_revision() <= migrations.head()
    # Without a word in its file, a revision lets in no code of before.
    assert handshake.oldest_code_for("0034") == "0034"
    assert handshake.oldest_code_for("0037") == "0036"


def test_a_role_without_rights_is_told_how_it_gets_them(postgres: RunningPostgres) -> None:
    postgres.server.create_database("barred")
    migrations.upgrade(postgres.url("barred"))
    with connected_to(postgres.server.services_url("barred")), pytest.raises(WrongTables, match="may not read the tab"):
        fitness.check()


def test_a_database_that_takes_no_writes_is_waited_for(clean_database: str) -> None:
    settings = servers.owner_url(clean_database)
    query(settings, "ALTER ROLE pulse_run SET default_transaction_read_only = on")
    try:
        db.engine().dispose()
        with pytest.raises(DatabaseUnavailable, match="takes no writes"):
            health.check_ready()
    finally:
        query(settings, "ALTER ROLE pulse_run RESET default_transaction_read_only")
        db.engine().dispose()


def test_a_database_that_is_not_up_is_waited_for_with_one_line(
    clean_database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitness, "AGAIN_SECONDS", 0.01)
    asked = threading.Semaphore(0)
    is_fit = fitness._is_fit

    def ask(process: str) -> bool:
        asked.release()
        return is_fit(process)

    monkeypatch.setattr(fitness, "_is_fit", ask)
    port = free_port()
    with connected_to(f"postgresql://anybody@127.0.0.1:{port}/pulse"):
        waiting = threading.Thread(target=fitness.wait_until_fit, args=("worker",))
        waiting.start()
        for _ in range(5):
            assert asked.acquire(timeout=20)
        with running_pgbouncer(tmp_path, clean_database, port, pool_mode="session"):
            waiting.join(30)
            assert not waiting.is_alive()
    told = capsys.readouterr()
    assert (told.out + told.err).count("start waits for the database") == 1
    assert "Connection refused" in told.out + told.err


def test_a_standby_is_waited_for_until_it_is_promoted(tmp_path: Path) -> None:
    with running_postgres(tmp_path) as primary:
        migrations.upgrade(primary.url())
        with following(primary, tmp_path) as standby, connected_to(standby.url()):
            with pytest.raises(DatabaseUnavailable) as away:
                fitness.check()
            assert fitness.reason_of(away.value) == lineage.STANDBY
            with pytest.raises(DatabaseUnavailable, match="this server is a standby"):
                health.check_ready()

            query(standby.url(), "SELECT pg_promote()")
            fitness.check()


def test_settings_that_differ_are_named_with_both_values(clean_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = shared(config.settings())
    Reporter(identity(os.getpid(), ProcessKind.BEAT), lambda: None, SweepJournal()).report()
    with db.statement() as connection:
        assert differences(connection, ours) == []
        connection.execute(
            text("UPDATE processes SET shared_settings = shared_settings || CAST(:theirs AS jsonb)"),
            {"theirs": json.dumps({"PULSE_LEASE": "31.0"})},
        )
        (told,) = differences(connection, ours)
    assert told.startswith("PULSE_LEASE is 31.0 at beat (process ")
    assert told.endswith(", and 30.0 here")
    assert f"settings: {told}" in health.check_ready()["degraded"]
