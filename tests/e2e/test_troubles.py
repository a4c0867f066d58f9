"""Every trouble is caused for real, and `pulse doctor` names it with the next step, by the URLs alone.

No test writes a row that a process would write. Some shorten how long the doctor bears a trouble; a queue grows by
messages that are put into it, as one without workers does, and a sweep fails because its table is taken away.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import redis
import requests
from click.testing import CliRunner
from sqlalchemy import text

import pulse_core
from api_contract.vocabulary import SliceStatus
from pulse_core import db, migrations
from pulse_core.trading.alarms import HoldCode
from pulse_ops.cli import main
from pulse_ops.doctor import orders, processes, sweeps
from pulse_ops.doctor.findings import Trouble
from pulse_ops.stack import probes
from pulse_ops.stack import processes as commands
from pulse_ops.stack.child import Child
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.processes import Listen
from tests.rigs.clocks.faked import faked
from tests.support import servers
from tests.support.factories import a_split_order, an_order, slices_of
from tests.support.processes import LOOPBACK, WATCHED_AT, Processes, wait_until
from tests.support.servers import RunningPostgres, RunningRedis

pytestmark = pytest.mark.timeout(240)

QUICK = {"PULSE_LEASE": "3", "PULSE_BROKER_TIMEOUT": "1", "PULSE_OVERDUE_AFTER": "1"}
# A worker says that it lives every 5 s, and a busy machine holds it up.
REPORTED = 40
KINDS = ["beat", "flower", "gapi", "pulse", "worker-control", "worker-slices"]
WITH_TABLES = ["beat", "pulse", "worker-control", "worker-slices"]
SILENT = "(process PID on HOST) gave its last sign of life N s ago"
# Begins with what the test before has left.
LAST = "test_every_process_says_that_it_ends"


@dataclass
class Deployment:
    """Processes that nothing but their URLs connects to the doctor."""

    processes: Processes
    failpoints: Path
    exchange_port: int = field(default_factory=free_port)
    exchange: Child = field(init=False)
    slices: Child = field(init=False)
    control: Child = field(init=False)
    beat: Child = field(init=False)
    gapi: Child = field(init=False)
    flower: Child = field(init=False)
    urls: dict[str, str] = field(default_factory=dict)

    def open(self) -> None:
        self.open_exchange()
        self.control = self.processes.worker_control()
        self.open_slices()
        self.beat = self.processes.beat()
        _, pulse = self.processes.pulse()
        self.gapi, gapi = self.processes.gapi(PULSE_URL=pulse)
        self.open_flower()
        names = ("DATABASE_URL", "PULSE_QUEUE_URL", "PULSE_PAPER_EXCHANGE_URL")
        self.urls = {name: self.processes.environment[name] for name in names} | {"PULSE_GATEWAY_URL": gapi}
        self.urls |= {"PULSE_GATEWAY_READY_URL": f"{WATCHED_AT[gapi]}/ready"}

    def open_slices(self) -> None:
        self.slices = self.processes.worker_slices(PULSE_FAILPOINT=str(self.failpoints))

    def open_flower(self) -> None:
        listen = Listen(LOOPBACK, free_port())
        answers = probes.http_ok(f"http://{LOOPBACK}:{listen.port}/healthcheck")
        self.flower = self.processes.run("flower", commands.flower(listen), answers, {})

    def open_exchange(self, **environment: str) -> None:
        ledger = self.processes.folder / "ledger.sqlite"
        self.exchange, url = self.processes.exchange(ledger, self.exchange_port, **environment)
        self.processes.environment = {**self.processes.environment, "PULSE_PAPER_EXCHANGE_URL": url}


@dataclass
class Said:
    exit_code: int
    output: str

    @property
    def wrong(self) -> list[str]:
        """The lines about troubles and, indented, their next steps, without numbers and names of this run."""
        lines = re.findall(r"^WRONG .*\n      .*", self.output, re.MULTILINE)
        return [_without_names(line) for line in lines]


def _without_names(line: str) -> str:
    for pattern, word in (
        (r"(ord|sl)_[0-9A-Z]{26}", r"\1_"),
        (r"http://[\d.:]+", "URL"),
        (r"process \d+ on [\w.-]+", "process PID on HOST"),
        (r"session \d+", "session PID"),
        (r"\d+(\.\d+)? (s|MB)\b", r"N \2"),
    ):
        line = re.sub(pattern, word, line)
    return line


def as_told(check: str, trouble: Trouble, detail: str) -> str:
    return f"WRONG {check}: {trouble.meaning}: {detail}\n      {trouble.next_step}"


@pytest.fixture(scope="module")
def redis_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    with servers.running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="module")
def deployment(
    environment: dict[str, str],
    postgres: RunningPostgres,
    redis_alone: RunningRedis,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    """In a database of its own: services of other tests have other settings."""
    postgres.server.create_database("troubles")
    folder = tmp_path_factory.mktemp("deployment")
    (folder / "failpoints").mkdir()
    its_own = {"DATABASE_URL": postgres.migrated("troubles"), "PULSE_QUEUE_URL": redis_alone.url}
    found = Deployment(Processes(folder, {**environment, **QUICK, **its_own}), folder / "failpoints")
    with servers.connected_to(its_own["DATABASE_URL"]):
        yield from _opened(found)


def _opened(found: Deployment) -> Iterator[Deployment]:
    try:
        found.open()
        living = "SELECT DISTINCT kind FROM processes WHERE ended_at IS NULL"
        wait_until(lambda: len(rows(living)) == len(KINDS), REPORTED, "a report of each kind")
        yield found
    finally:
        for child in found.processes.children:
            if child.is_alive():
                os.kill(child.pid or 0, signal.SIGCONT)
        found.processes.close()


Doctor = Callable[..., Said]


@pytest.fixture
def doctor(deployment: Deployment, tmp_path: Path) -> Doctor:
    def ask(*arguments: str, command: str = "doctor", **environment: str) -> Said:
        variables = {"PULSE_DATA_DIR": str(tmp_path / "none"), **deployment.urls, **environment}
        result = CliRunner().invoke(main, [command, *arguments], env=variables)
        return Said(result.exit_code, result.stdout)

    return ask


@pytest.fixture(autouse=True)
def well_before(deployment: Deployment, doctor: Doctor, request: pytest.FixtureRequest) -> None:
    if request.node.name == LAST:
        return
    wait_until(lambda: doctor().exit_code == 0, 60, "a deployment that is well")


def rows(query: str) -> list[Any]:
    with db.transaction() as session:
        return list(session.execute(text(query)).all())


def execute(statement: str) -> None:
    with closing(psycopg2.connect(servers.owner_url(os.environ["DATABASE_URL"]))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


@contextmanager
def stopped(child: Child) -> Iterator[None]:
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child.pid, signal.SIGCONT)


def told_until(doctor: Doctor, *sentences: str) -> Said:
    """What the doctor says once all of these are in it, each to the end of a line or of a clause."""
    said: list[Said] = []

    def is_told() -> bool:
        said.append(doctor())
        return all(any(sentence in line for line in said[-1].wrong) for sentence in sentences)

    try:
        wait_until(is_told, REPORTED, "what is told")
    except AssertionError:
        pytest.fail(f"not all of {sentences} is in {said[-1].wrong}")
    assert said[-1].exit_code == 1
    return said[-1]


def told_alone(ask: Callable[[], Said], sentence: str) -> None:
    """Until nothing else is told: what the workers met in the test before, they may write down in this one."""
    said: list[Said] = []

    def is_alone() -> bool:
        said.append(ask())
        return said[-1].wrong == [sentence]

    try:
        wait_until(is_alone, REPORTED)
    except AssertionError:
        pytest.fail(f"{sentence!r} is not alone in {said[-1].wrong}")
    assert said[-1].exit_code == 1


def scenario(deployment: Deployment, *rules: dict[str, object]) -> None:
    """Put faults of the exchange in force in place of those before."""
    url = f"{deployment.urls['PULSE_PAPER_EXCHANGE_URL']}/_paper/scenario"
    requests.put(url, json={"rules": rules}, timeout=5).raise_for_status()


def test_a_deployment_without_a_stack_on_this_machine_is_shown_by_its_urls(doctor: Doctor) -> None:
    status = doctor("--json", command="status")
    found = json.loads(status.output)

    assert (status.exit_code, found["is_healthy"], found["troubles"]) == (0, True, [])
    assert [one["kind"] for one in found["reported"]] == KINDS
    assert all(one["settings_digest"] and one["version"] for one in found["reported"])
    shown = doctor(command="status").output
    assert all(kind in shown for kind in KINDS)
    assert "hunter2" not in shown
    assert all(one["trouble"] is None for one in json.loads(doctor("--json").output))


def test_redis_away(doctor: Doctor, redis_alone: RunningRedis) -> None:
    redis_alone.stop()
    try:
        said = doctor()
        status = doctor(command="status")
    finally:
        redis_alone.start()

    assert said.exit_code == status.exit_code == 1
    (line,) = [line for line in said.wrong if line.startswith("WRONG redis")]
    assert "Redis does not answer: Error 111 connecting to" in line
    assert line.endswith(Trouble.REDIS_AWAY.next_step)
    assert line in status.wrong
    assert "slices unknown" in status.output


def test_postgres_away(doctor: Doctor, postgres: RunningPostgres) -> None:
    postgres.stop()
    try:
        said, status = doctor(), doctor(command="status")
    finally:
        postgres.start()

    assert said.exit_code == status.exit_code == 1
    (line,) = [line for line in said.wrong if line.startswith("WRONG database")]
    assert "Postgres does not answer: connection to server at " in line
    assert line.endswith(Trouble.DATABASE_AWAY.next_step)
    assert line in status.wrong


def test_postgres_read_only(doctor: Doctor) -> None:
    execute("ALTER DATABASE troubles SET default_transaction_read_only = on")
    try:
        said = doctor()
    finally:
        execute("BEGIN READ WRITE; ALTER DATABASE troubles RESET default_transaction_read_only; COMMIT")
        # A session that began meanwhile would stay as it is.
        execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pulse'")
        db.engine().dispose()

    # Pulse is ready for as long as it needs no new session.
    wrong = [line for line in said.wrong if not line.startswith("WRONG gapi")]
    assert wrong == [as_told("database", Trouble.DATABASE_READ_ONLY, "transaction_read_only is on")]


@pytest.fixture
def small_disk(postgres: RunningPostgres) -> Iterator[Path]:
    """A disk of 16 MB, which is Postgres's own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    disk = Path(f"/tmp/pulse-tiny-{os.getpid()}")
    disk.mkdir(mode=0o755)
    owner = psutil.Process(postgres.child.pid).uids().real
    mount = ["mount", "-t", "tmpfs", "-o", f"size=16m,mode=700,uid={owner}", "none", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        disk.rmdir()
        pytest.skip("no disk can be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)
        disk.rmdir()


@pytest.fixture
def tiny_disk(postgres: RunningPostgres, small_disk: Path) -> Iterator[str]:
    """The URL of a database that lies on a disk with room for nothing more."""
    try:
        execute(f"CREATE TABLESPACE tiny LOCATION '{small_disk}'")
        execute("CREATE DATABASE full_disk TABLESPACE tiny")
        yield postgres.url("full_disk")
    finally:
        execute("DROP DATABASE IF EXISTS full_disk WITH (FORCE)")
        execute("DROP TABLESPACE IF EXISTS tiny")


def test_postgres_full(doctor: Doctor, tiny_disk: str) -> None:
    said = doctor(DATABASE_URL=tiny_disk)

    (line,) = [line for line in said.wrong if line.startswith("WRONG database:")]
    assert line.startswith("WRONG database: the disk of Postgres is full: no room for N MB (could not extend file")
    assert line.endswith(f"No space left on device)\n      {Trouble.DATABASE_FULL.next_step}")


def test_disk_nearly_full(doctor: Doctor, small_disk: Path) -> None:
    detail = f"N MB are free for {small_disk}, 500 are needed"
    full = as_told("disk", Trouble.DISK_NEARLY_FULL, detail)
    told_alone(lambda: doctor(PULSE_DATA_DIR=str(small_disk)), full)


def test_queue_growing_counts_by_the_prefix(doctor: Doctor, redis_alone: RunningRedis) -> None:
    growing = as_told("queue desk7.slices", Trouble.QUEUE_GROWING, "1000 wait, and they do not become fewer")
    with closing(redis.Redis.from_url(redis_alone.url)) as client:
        client.lpush("desk7.slices", *range(1000))
        try:
            told_alone(lambda: doctor(PULSE_QUEUE_PREFIX="desk7."), growing)
            depths = json.loads(doctor("--json", command="status", PULSE_QUEUE_PREFIX="desk7.").output)["queues"]
        finally:
            client.delete("desk7.slices")

    assert depths == {"slices": 1000, "control": 0}


def test_exchange_away_and_its_token_dead_are_seen_by_the_workers(deployment: Deployment, doctor: Doctor) -> None:
    """The doctor itself is not told where the broker is: what the sweeps met stands in the database."""
    scenario(deployment, {"fault": "open_pending", "seconds": 600})
    order_id = a_split_order(num_splits=2, duration_minutes=60)
    wait_until(lambda: slices_of(order_id)[0].status is SliceStatus.WORKING, REPORTED, "a slice at the exchange")
    by_urls = deployment.urls
    deployment.exchange.stop(5)
    try:
        (line,) = [line for line in doctor().wrong if line.startswith("WRONG broker")]
        assert "the broker does not answer as it should: UNREACHABLE, no connection to the broker" in line
        assert line.endswith(Trouble.BROKER_AWAY.next_step)
        deployment.urls = {name: url for name, url in by_urls.items() if name != "PULSE_PAPER_EXCHANGE_URL"}
        away = "UNREACHABLE, no connection to the broker (ConnectionError) (pulse.track_slices, for N s)"
        told_until(doctor, as_told("broker", Trouble.BROKER_AWAY, away))

        deployment.open_exchange(KITE_ACCESS_TOKEN="the-token-of-tomorrow")
        dead = "TOKEN_ENDED, Incorrect `api_key` or `access_token`. (pulse.track_slices, for N s)"
        told_until(doctor, as_told("broker", Trouble.BROKER_TOKEN_DEAD, dead))
    finally:
        deployment.urls = by_urls
        deployment.exchange.stop(5)
        deployment.open_exchange()
        wait_until(lambda: doctor().exit_code == 0, REPORTED, "sweeps that reach the exchange")
        clear_orders()


def clear_orders() -> None:
    execute("TRUNCATE orders, order_slices, placements, fills, slice_events CASCADE")


def test_every_slice_is_refused(deployment: Deployment, doctor: Doctor) -> None:
    scenario(deployment, {"fault": "refuse", "error_type": "InputException", "message": "Invalid product."})
    try:
        order_id = a_split_order(num_splits=2, duration_minutes=60)
        wait_until(lambda: slices_of(order_id)[0].status is SliceStatus.REJECTED, 20, "a refusal")
        said = doctor()
    finally:
        scenario(deployment)
        clear_orders()

    detail = "1 of 1 slices refused in ten minutes, one with InputException, Invalid product."
    assert said.wrong == [as_told("broker's answers", Trouble.BROKER_REFUSES, detail)]


def test_processes_that_stand_still_and_what_they_leave_undone(
    deployment: Deployment, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker is stopped in the middle of a slice, the other between two sweeps, and beat is killed.

    Their silence lasts as long as the doctor bears it. With sweeps and orders it is less patient here.
    """
    monkeypatch.setattr(sweeps, "SHORTEST_PATIENCE", 15.0)
    monkeypatch.setattr(orders, "PATIENCE_SECONDS", 15.0)
    (deployment.failpoints / "execute.after_claim").write_text("stop")
    order_id = a_split_order(num_splits=2, duration_minutes=60)
    wait_until(lambda: slices_of(order_id)[0].status is SliceStatus.SENDING, 20, "a claim")
    wait_until(lambda: not (deployment.failpoints / "execute.after_claim").exists(), 5, "the stop")
    deployment.beat.kill()
    with stopped(deployment.slices), stopped(deployment.control):
        an_order()
        said = told_until(
            doctor,
            as_told("beat", Trouble.BEAT_AWAY, f"beat {SILENT}"),
            as_told("worker-control", Trouble.WORKER_STUCK, f"worker-control {SILENT}"),
            as_told("worker-slices", Trouble.WORKER_STUCK, f"worker-slices {SILENT}"),
            "pulse.split_forgotten_orders ran last N s ago, for N s",
            as_told("fences", Trouble.FENCE_HELD, "sl_ of ord_ by session PID of 127.0.0.1, N s longer than its claim"),
            "ord_: accepted and not split, for N s",
            "ord_: the claim on a slice is over and was not resolved, for N s",
        )
    deployment.beat = deployment.processes.beat()
    # Awake again, it sees that its claim is over.
    wait_until(lambda: slices_of(order_id)[0].status is not SliceStatus.SENDING, 20, "the end of the claim")
    clear_orders()

    assert [line.split(":")[0] for line in said.wrong] == [
        "WRONG beat",
        "WRONG worker-control",
        "WRONG worker-slices",
        "WRONG sweeps",
        "WRONG fences",
        "WRONG orders",
    ]
    meanings = [Trouble.SWEEPS_LATE.meaning, Trouble.ORDER_STUCK.meaning]
    assert [line.split(": ")[1] for line in said.wrong if line.startswith(("WRONG sweeps", "WRONG ord"))] == meanings


def test_a_worker_with_other_settings_that_hangs_at_one_task(
    deployment: Deployment, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange keeps its answer to a placement back, and this worker was told to wait for it."""
    monkeypatch.setattr(processes, "LONGEST_TASK", 2.0)
    scenario(deployment, {"fault": "slow", "instrument": "NSE:INFY", "seconds": 60})
    deployment.slices.stop(10)
    hanging = deployment.processes.worker_slices(PULSE_BROKER_TIMEOUT="20", PULSE_LEASE="40")
    try:
        # The control worker splits it, and sends the message.
        an_order(instrument="NSE:INFY", num_splits=2, duration_minutes=60)
        hangs = "worker-slices (process PID on HOST) has been at one task for N s"
        said = told_until(doctor, as_told("worker-slices", Trouble.WORKER_STUCK, hangs))
    finally:
        hanging.kill()
        scenario(deployment)
        deployment.open_slices()
        clear_orders()

    (differ,) = [line for line in said.wrong if line.startswith("WRONG settings")]
    assert "processes were told different things: PULSE_BROKER_TIMEOUT is 1.0 at beat (process PID on HOST)" in differ
    assert " and 20.0 at worker-slices (process PID on HOST); PULSE_LEASE is 3.0 at " in differ
    assert differ.endswith(Trouble.SETTINGS_DIFFER.next_step)


def test_redis_forgets_or_drops_messages(doctor: Doctor, redis_alone: RunningRedis) -> None:
    with closing(redis.Redis.from_url(redis_alone.url)) as client:
        client.config_set("appendonly", "no")
        forgetful = doctor()
        client.config_set("appendonly", "yes")
        client.config_set("maxmemory-policy", "allkeys-lru")
        dropping = doctor()
        client.config_set("maxmemory-policy", "noeviction")

    forgets = as_told("redis", Trouble.REDIS_LOSES_MESSAGES, "it forgets them when it restarts")
    drops = as_told("redis", Trouble.REDIS_LOSES_MESSAGES, "it drops them when its memory is full (allkeys-lru)")
    assert (forgetful.wrong, dropping.wrong) == ([forgets], [drops])


def test_a_sweep_that_fails(doctor: Doctor) -> None:
    execute("ALTER TABLE alarms RENAME TO alarms_away")
    try:
        detail = "ProgrammingError, see the log of the worker (pulse.resolve_alarms, for N s)"
        told_until(doctor, as_told("sweeps", Trouble.SWEEP_FAILS, detail))
    finally:
        execute("ALTER TABLE alarms_away RENAME TO alarms")


def test_nothing_is_sent_by_a_database_that_does_not_know_the_book(
    deployment: Deployment, doctor: Doctor, postgres: RunningPostgres
) -> None:
    """A worker begins anew with empty tables, while the exchange has an order of ours."""
    order_id = a_split_order(num_splits=2, duration_minutes=60)
    wait_until(lambda: slices_of(order_id)[0].broker_order_id, 20, "an order at the exchange")
    postgres.server.create_database("forgotten")
    empty = postgres.migrated("forgotten")
    worker = deployment.processes.worker_slices(DATABASE_URL=empty, PULSE_QUEUE_PREFIX="forgotten.")

    def ask() -> Said:
        return doctor(DATABASE_URL=empty, PULSE_QUEUE_PREFIX="forgotten.")

    try:
        told_until(ask, as_told("hold", Trouble.SENDING_HELD, f"{HoldCode.FIRST_LOOK.meaning}, for N s"))
    finally:
        worker.stop(10)
        clear_orders()


def test_a_database_that_the_next_release_has_migrated(deployment: Deployment, doctor: Doctor, tmp_path: Path) -> None:
    """The release after this one, which lets this one go on: the processes that run are now of another revision."""
    head = migrations.head()
    with next_release(tmp_path, head) as migrate:
        migrate("upgrade(url)")
        try:
            said = doctor()
        finally:
            migrate(f"downgrade(url, {head!r})")

    behind, *versions = said.wrong
    assert behind == as_told("migrations", Trouble.DATABASE_BEHIND, f"it is at 9999, the code needs {head}")
    release = f"version {version('pulse-execution')}, is made for {head}, the database is at 9999"
    details = [f"{kind} (process PID on HOST), {release}" for kind in WITH_TABLES]
    told = zip(WITH_TABLES, details, strict=True)
    assert versions == [as_told(f"version of {kind}", Trouble.CODE_DIFFERS, detail) for kind, detail in told]


@contextmanager
def next_release(folder: Path, head: str) -> Iterator[Callable[[str], None]]:
    """Its code in a folder, and what has it migrate the database."""
    package = folder / "pulse_core"
    shutil.copytree(Path(pulse_core.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    stated = f'revision = "9999"\ndown_revision = "{head}"\nWORKS_WITH_CODE_FROM = "{head}"\n'
    deeds = "def upgrade() -> None: ...\ndef downgrade() -> None: ...\n"
    (package / "migrations" / "versions" / "9999_next.py").write_text(stated + deeds)
    path = os.pathsep.join((str(folder), str(Path(pulse_core.__file__).parents[1])))
    url = servers.owner_url(os.environ["DATABASE_URL"])

    def migrate(what: str) -> None:
        code = f"from pulse_core import migrations as m; url = {url!r}; m.{what}"
        subprocess.run(
            [sys.executable, "-P", "-c", code], env={**os.environ, "PYTHONPATH": path}, check=True, timeout=60
        )

    yield migrate


def test_a_gateway_and_flower_that_are_gone_are_missed(
    deployment: Deployment, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway answers no more, and neither says that it lives: for a shorter time than the doctor bears else."""
    monkeypatch.setattr(processes, "SILENT_AFTER", 9.0)
    for child in (deployment.gapi, deployment.flower):
        child.kill()
    said, status = doctor(), doctor(command="status")
    away = as_told("gapi", Trouble.GATEWAY_AWAY, "URL/ready gives no answer (ConnectionError)")
    missed = as_told("gapi", Trouble.GATEWAY_AWAY, f"gapi {SILENT}")
    told_until(doctor, away, missed, as_told("flower", Trouble.FLOWER_AWAY, f"flower {SILENT}"))
    for child in (deployment.gapi, deployment.flower):
        servers.start(child)

    assert said.wrong == status.wrong == [away]
    assert said.exit_code == status.exit_code == 1


def test_beat_that_was_ended_and_one_whose_clock_is_off(
    deployment: Deployment, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STARTING", 0.0)
    deployment.beat.stop(10)
    said, status = doctor(), doctor(command="status")

    assert said.wrong == status.wrong == [as_told("beat", Trouble.BEAT_AWAY, "no beat reports itself")]
    assert said.exit_code == status.exit_code == 1

    deployment.processes.beat(**faked(deployment.processes.environment, 3600))
    detail = "beat (process PID on HOST) is N s ahead of the database"
    told_until(doctor, as_told("clock of beat", Trouble.CLOCK_OFF, detail))


def test_every_process_says_that_it_ends(deployment: Deployment) -> None:
    """Those that reach no database first: others write down what they say."""
    own = {one.pid for child in deployment.processes.children for one in with_descendants(child)}
    unended = rows("SELECT id, pid FROM processes WHERE ended_at IS NULL")
    alive = {process_id for process_id, pid in unended if pid in own}
    assert len(alive) == len(KINDS)
    for child in (deployment.gapi, deployment.flower):
        child.stop(10)
    ended_by_others = "SELECT DISTINCT kind FROM processes WHERE ended_at IS NOT NULL AND kind IN ('gapi', 'flower')"
    wait_until(lambda: len(rows(ended_by_others)) == 2, what="the end of gapi and Flower")
    deployment.processes.close()

    ended = {process_id for (process_id,) in rows("SELECT id FROM processes WHERE ended_at IS NOT NULL")}
    assert alive <= ended


def with_descendants(child: Child) -> list[psutil.Process]:
    """None for one that was killed by a test before."""
    if child.pid_if_alive is None:
        return []
    process = psutil.Process(child.pid_if_alive)
    return [process, *process.children(recursive=True)]
