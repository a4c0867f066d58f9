"""Behind a proxy that shares sessions nothing starts and no fence is given; behind one that does not, all goes on."""

import itertools
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from api_contract.vocabulary import SliceStatus
from pulse_app import create_app, health
from pulse_core import db, fitness
from pulse_core.clock import utcnow
from pulse_core.errors import DatabaseUnavailable, SharedSession
from pulse_core.health import reporter
from pulse_core.postgres import poolers
from pulse_core.sending_fence import fence_together
from pulse_core.trading.slice.execute import execute_slice, execute_slices
from pulse_ops.doctor.postgres import pooler, sessions
from pulse_ops.stack import processes
from pulse_ops.stack.errors import StackError
from pulse_ops.stack.external import check_external
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.processes import Listen
from tests.support import servers
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_slice, a_split_order, slices_of
from tests.support.pgbouncer import running_pgbouncer
from tests.support.processes import wait_until
from tests.support.servers import connected_to

# What a role needs whose sessions are not ours to set.
IN_TRANSACTIONS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
    "synchronous_commit": "on",
}


@pytest.fixture
def shared(clean_database: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database behind a proxy in transaction mode."""
    with running_pgbouncer(tmp_path, clean_database, pool_mode="transaction") as url:
        yield url


@contextmanager
def others_at_work(url: str, count: int) -> Iterator[None]:
    """Other clients of the same proxy, with transactions all the time."""
    over = threading.Event()

    def work() -> None:
        connection = psycopg2.connect(url)
        with connection.cursor() as cursor:
            while not over.is_set():
                cursor.execute("SELECT pg_sleep(0.005)")
                connection.rollback()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("pool_mode", "server_round_robin", "others"),
    [*itertools.product(["transaction"], ["0", "1"], [0, 4]), ("statement", "0", 0)],
)
def test_shared_sessions_are_seen_each_time(
    clean_database: str, tmp_path: Path, pool_mode: str, server_round_robin: str, others: int
) -> None:
    settings = {"pool_mode": pool_mode, "server_round_robin": server_round_robin}
    with running_pgbouncer(tmp_path, clean_database, **settings) as url, others_at_work(url, others):
        for _ in range(20):
            with pytest.raises(SharedSession, match="in session mode"):
                poolers.check_session(url)


def test_a_proxy_with_one_session_for_all_is_seen_too(clean_database: str, tmp_path: Path) -> None:
    settings = {"pool_mode": "transaction", "default_pool_size": "1"}
    with running_pgbouncer(tmp_path, clean_database, **settings) as url, pytest.raises(SharedSession):
        poolers.check_session(url)


def test_in_session_mode_a_slice_is_placed_and_our_settings_are_in_force(
    clean_database: str, tmp_path: Path, broker: SimulatedBroker
) -> None:
    with running_pgbouncer(tmp_path, clean_database, pool_mode="session") as url, connected_to(url):
        first = slices_of(a_split_order())[0]
        execute_slice(first.id)

        assert a_slice(first.id).status is SliceStatus.WORKING
        assert len(broker.placements) == 1
        with db.statement() as connection:
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "5s"


def test_no_fence_is_given_over_a_shared_session(shared: str) -> None:
    with connected_to(shared), pytest.raises(SharedSession), db.fence("sl_1"):
        pytest.fail("this fence guards nothing")


@pytest.mark.parametrize("command", [processes.worker_slices(), processes.worker_control()])
def test_a_worker_does_not_start(command: tuple[str, ...], shared: str, environment: dict[str, str]) -> None:
    assert_refused(command, {**environment, "DATABASE_URL": shared}, "worker")


def test_pulse_does_not_start(shared: str, environment: dict[str, str]) -> None:
    command = processes.pulse(Listen("127.0.0.1", free_port()))

    assert_refused(command, {**environment, "DATABASE_URL": shared}, "pulse")


def test_a_pulse_that_started_before_the_proxy_never_is_ready(
    clean_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    with connected_to(f"postgresql://anybody@127.0.0.1:{port}/pulse"):
        # It would go on to report this process, beside those of other tests.
        monkeypatch.setattr(reporter, "start", lambda _kind: None)
        # And end it, once it has looked at the database again.
        monkeypatch.setattr(fitness, "_look_on", lambda _process: None)
        create_app()
        with running_pgbouncer(tmp_path, clean_database, port, pool_mode="transaction"):
            # A slow machine may not answer within two seconds, which is another reason.
            wait_until(lambda: "in session mode" in why_not_ready())


def test_the_stack_and_the_doctor_say_so(shared: str) -> None:
    with pytest.raises(StackError, match="in session mode"):
        check_external(shared, None)
    (finding,) = sessions(shared)
    assert "in session mode" in finding.fix


@pytest.fixture
def direct(shared: str, clean_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The same proxy, with Postgres itself named beside it; the role has what a transaction of ours needs."""
    monkeypatch.setenv(poolers.DIRECT, clean_database)
    with role_settings(clean_database, **IN_TRANSACTIONS), connected_to(shared):
        yield clean_database


def test_with_sessions_of_their_own_slices_are_placed_through_a_proxy_that_shares(
    direct: str, broker: SimulatedBroker
) -> None:
    overdue = a_split_order(utcnow() - timedelta(minutes=2), duration_minutes=1, num_splits=4)
    slice_ids = [one.id for one in slices_of(overdue)]
    execute_slices(slice_ids[:3]).check()
    fitness.check()

    assert [a_slice(one).status for one in slice_ids[:3]] == [SliceStatus.WORKING] * 3
    assert len(broker.placements) == 3
    with db.fence(slice_ids[3]), fence_together(slice_ids[3:]) as beside:
        assert beside.slice_ids == ()
    with fence_together(slice_ids[3:]) as held, held.statement() as connection:
        assert connection.engine is db.fence_engine() is not db.engine()


def test_a_proxy_behind_which_a_transaction_could_go_on_for_ever_is_refused_with_the_mend(
    direct: str, clean_database: str
) -> None:
    with role_settings(clean_database, statement_timeout="0"):
        db.engine().dispose()
        with pytest.raises(SharedSession, match=r"ALTER ROLE \w+ SET statement_timeout = '5000'"):
            fitness.check()


def test_two_urls_of_two_databases_are_refused(clean_database: str) -> None:
    other = make_url(clean_database).set(database="postgres").render_as_string(hide_password=False)
    with pytest.raises(SharedSession, match="lead to different databases"):
        poolers.check_shared(clean_database, other, {})


def test_the_url_of_the_sessions_itself_leads_through_no_such_proxy(
    shared: str, clean_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(poolers.DIRECT, shared)
    with connected_to(shared), pytest.raises(SharedSession, match=f"^{poolers.DIRECT} leads"):
        fitness.check()


def test_the_doctor_looks_at_the_proxy_and_at_postgres_itself(direct: str, shared: str) -> None:
    assert [one.is_ok for one in (*sessions(direct), *pooler(shared, direct))] == [True, True]


@contextmanager
def role_settings(url: str, **settings: str) -> Iterator[None]:
    """What the sessions of the role that owns none of them begin with; the proxy is told to begin anew."""
    role = make_url(url).username
    with closing(psycopg2.connect(servers.owner_url(url))) as owner:
        owner.autocommit = True
        with owner.cursor() as cursor:
            for name, value in settings.items():
                cursor.execute(f"ALTER ROLE {role} SET {name} = %s", (value,))
            cursor.execute("SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE usename = %s", (role,))
            try:
                yield
            finally:
                for name in settings:
                    cursor.execute(f"ALTER ROLE {role} RESET {name}")


def why_not_ready() -> str:
    with pytest.raises(DatabaseUnavailable) as away:
        health.check_ready()
    return away.value.message


def assert_refused(command: tuple[str, ...], environment: dict[str, str], name: str) -> None:
    ended = subprocess.run(
        processes.executable(command), env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode != 0
    assert f"{name} cannot start: {poolers.SENTENCE}" in ended.stdout + ended.stderr
