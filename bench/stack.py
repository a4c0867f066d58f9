"""The product as `make run` runs it, on servers, ports and a folder of its own."""

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
import redis
import requests
from argon2 import PasswordHasher
from sqlalchemy import create_engine
from ulid import ULID

from api_contract import ids
from api_contract.scopes import Role
from bench.children import ROOT, SERVERS, BenchError, Children
from bench.day_book import fill_day_book
from gapi_app.config import Settings as GatewaySettings
from pulse_core import db, migrations
from pulse_core.broker_accounts.vocabulary import PAPER
from pulse_core.brokers.adapters import ADAPTERS
from pulse_core.identity.store import accounts
from pulse_ops.stack import plan, processes
from pulse_ops.stack.child import Program
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.plan import ledger_path
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.postgres import EmbeddedPostgres
from pulse_ops.stack.redis import EmbeddedRedis
from pulse_ops.stack.secrets import kept_keys

# What answers requests, and what works behind it.
FRONT = (processes.EXCHANGE, processes.PULSE, processes.GAPI)
BEHIND = (processes.WORKER_SLICES, processes.WORKER_CONTROL, processes.BEAT, processes.FLOWER)
# A run is longer than a token is good for, and a webhook's receiver is on this machine.
_VARIABLES = {
    "PULSE_ACCESS_TOKEN_LIFETIME": "7200",
    "PULSE_WEBHOOK_ALLOW_HTTP": "true",
    "PULSE_WEBHOOK_ALLOW_PRIVATE": "true",
}
# What our own connections are called.
OURS = "bench"
_TRUNCATIONS = 10
_PAUSES = 100
_TURN_SECONDS = 0.05


class Servers:
    """One Postgres and one Redis with the settings of `make run`; product and floors use them in turn.

    pg_stat_statements is loaded, and counts nothing until `bench.statements` sets it on. The time of each commit is
    kept, for `bench.arrivals`.
    """

    def __init__(self, folder: Path, children: Children) -> None:
        watched = {"shared_preload_libraries": "pg_stat_statements", "track_commit_timestamp": "on"}
        self._postgres = EmbeddedPostgres(folder / "postgres", settings=watched)
        self._redis = EmbeddedRedis(folder / "redis")
        children.start([self._postgres.program(), self._redis.program()])
        ask(self._postgres.url("postgres"), "ALTER SYSTEM SET pg_stat_statements.track = 'none'")
        ask(self._postgres.url("postgres"), "SELECT pg_reload_conf()")

    def database_url(self, name: str) -> str:
        """The URL of a database, made when it is missing."""
        self._postgres.create_database(name)
        return self._postgres.url(name)

    def redis_url(self, number: int) -> str:
        """The URL of one of the sixteen databases of Redis."""
        return f"{self._redis.url.removesuffix('/0')}/{number}"


class Site:
    """One set of the product's processes on one database. `prefix` tells its processes from another site's.

    `limits` are variables of the product's and the exchange's rate limits, `at_the_broker` those of
    whoever calls brokers. `other_ledgers` are those of broker accounts at another exchange than the site's own.
    """

    def __init__(
        self,
        servers: Servers,
        children: Children,
        folder: Path,
        redis_number: int,
        prefix: str = "",
        limits: Mapping[str, str] | None = None,
        at_the_broker: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.children = children
        self.prefix = prefix
        self.database_url = servers.database_url(f"pulse{redis_number}")
        self.redis_url = servers.redis_url(redis_number)
        self.settings = _settings(folder)
        keys = kept_keys(folder)
        self._own_variables = {**_VARIABLES, **(lifted_limits() if limits is None else limits)}
        self._at_the_broker = at_the_broker or {}
        self.environment = (
            plan.environment(self.settings, keys, self.database_url, self.redis_url) | self._own_variables
        )
        self._programs = self._all_programs()
        self._more: list[str] = []
        self.other_ledgers: Mapping[str, Path] = {}
        self._password = secrets.token_urlsafe(12)
        self._password_hash = PasswordHasher().hash(self._password)
        migrations.upgrade(self.database_url)

    @property
    def gapi_port(self) -> int:
        return self.settings.gapi_port

    @property
    def ledger(self) -> Path:
        found = ledger_path(self.settings)
        assert found is not None
        return found

    @property
    def ledgers(self) -> Mapping[str, Path]:
        """What the exchange wrote down, by broker account."""
        return {PAPER: self.ledger, **self.other_ledgers}

    def names(self, which: Iterable[str]) -> list[str]:
        """What this site's processes are called among the children."""
        return [self.prefix + name for name in which]

    def start(self, which: Sequence[str]) -> None:
        self.children.start([self._programs[name] for name in which])

    def stop(self) -> None:
        self.children.stop(self.names((*FRONT, *BEHIND, *self._more)))
        self._more.clear()

    @contextmanager
    def more_workers(self, which: Sequence[str], copies: int) -> Iterator[None]:
        """So many more processes of each of these workers while the block runs."""
        added = [self._copy_of(name, number) for number in range(2, copies + 2) for name in which]
        self._more += [one.name.removeprefix(self.prefix) for one in added]
        try:
            self.children.start(added)
            yield
        finally:
            self.children.stop(one.name for one in added)
            self._more.clear()

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nothing of the product works while the block runs, but what answers requests."""
        with ExitStack() as pause:
            for _ in range(_PAUSES):
                pause.enter_context(self.children.paused(self.names((*BEHIND, *self._more))))
                time.sleep(_TURN_SECONDS)
                if not self._holds_a_transaction():
                    break
                # One that is stopped there would keep its locks: let it get further.
                pause.close()
                time.sleep(_TURN_SECONDS)
            else:
                raise BenchError("the workers could not be stopped outside their transactions")
            yield

    def pids(self) -> dict[str, int]:
        """Process ids of this site and of the servers, by the product's names."""
        mine = self.children.pids(self.names((*FRONT, *BEHIND, *self._more)))
        return {name.removeprefix(self.prefix): pid for name, pid in (mine | self.children.pids(SERVERS)).items()}

    def open_new_ledger(self, rows: int = 0) -> None:
        """Give the exchange a book with so many filled orders, so that no run pays for the one before."""
        name = self.prefix + processes.EXCHANGE
        self.children.stop([name])
        for path in self.ledger.parent.glob(f"{self.ledger.name}*"):
            path.unlink()
        if rows:
            fill_day_book(self.ledger, rows)
        self.start([processes.EXCHANGE])

    def forget_orders(self) -> None:
        """Remove every order, and every wake-up that still waits in the queue."""
        for attempt in range(_TRUNCATIONS):
            try:
                self.ask("TRUNCATE orders, slice_events CASCADE")
                break
            except psycopg2.errors.DeadlockDetected:
                # A worker was in the middle of a slice; it gives up next time.
                if attempt + 1 == _TRUNCATIONS:
                    raise
        with closing(redis.Redis.from_url(self.redis_url)) as client:
            client.delete(*processes.QUEUES)

    def ask(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """What a query finds; a statement that finds nothing gives no rows."""
        return ask(self.database_url, query, *parameters)

    def connect(self) -> Any:
        """A connection that commits each statement."""
        return connect(self.database_url)

    def log_in_new_accounts(self, count: int) -> list[str]:
        """An access token for each of so many new traders."""
        engine = create_engine(db.psycopg2_url(self.database_url))
        names = [f"bench-{secrets.token_hex(6)}" for _ in range(count)]
        now = datetime.now(UTC)
        try:
            with engine.connect() as connection, db.transaction(connection) as session:
                for name in names:
                    account_id = ids.account_id(ULID.from_datetime(now))
                    accounts.add(session, account_id, name, self._password_hash, Role.TRADER, now)
        finally:
            engine.dispose()
        return [self._log_in(name) for name in names]

    def _holds_a_transaction(self) -> bool:
        return bool(
            self.ask(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
                " AND state LIKE 'idle in transaction%' LIMIT 1"
            )
        )

    def _log_in(self, name: str) -> str:
        url = f"{self.settings.url(self.gapi_port)}/api/auth/login"
        answer = requests.post(url, json={"username": name, "password": self._password}, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def _all_programs(self) -> dict[str, Program]:
        planned = plan.programs(self.settings, self.environment)
        return {one.name: self._own(one) for one in planned}

    def _own(self, program: Program) -> Program:
        calls_brokers = program.name in (processes.PULSE, processes.WORKER_SLICES, processes.WORKER_CONTROL)
        own = {**self._own_variables, **(self._at_the_broker if calls_brokers else {})}
        environment = {**program.environment, **own, "PYTHONPATH": str(ROOT)}
        return replace(program, name=self.prefix + program.name, environment=environment)

    def _copy_of(self, name: str, number: int) -> Program:
        """Another worker of the same kind, under a name and on a port of its own."""
        first = self._programs[name]
        command = tuple(part.replace("@%h", f"-{number}@%h") for part in first.command)
        environment = {**first.environment, "PULSE_METRICS_PORT": str(free_port())}
        return replace(first, name=f"{first.name} {number}", command=command, environment=environment)


def ask(database_url: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """What a query finds, on a connection of its own."""
    with closing(connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return cursor.fetchall() if cursor.description else []


def connect(database_url: str) -> Any:
    """A connection that commits each statement, and whose statements are not counted."""
    connection = psycopg2.connect(
        database_url, connect_timeout=5, application_name=OURS, options="-c pg_stat_statements.track=none"
    )
    connection.autocommit = True
    return connection


def lifted_limits() -> dict[str, str]:
    """Variables that lift every rate limit of the product and of the exchange.

    The gateway's are set high, not off: a request still pays for being counted.
    """
    return _gateway_limits() | {"PULSE_BROKER_ORDERS_PER_SECOND": "0", "PULSE_PAPER_LIMITS": "false"}


def default_limits() -> dict[str, str]:
    """The same with the limits towards the broker, and the broker's own, as they are for users."""
    rate = ADAPTERS["paper"].limits.per_second
    return _gateway_limits() | {"PULSE_BROKER_ORDERS_PER_SECOND": str(rate), "PULSE_PAPER_LIMITS": "true"}


def _gateway_limits() -> dict[str, str]:
    fields = GatewaySettings.model_fields
    limits = [name for name in fields if name.startswith("pulse_rate_limit") and isinstance(fields[name].default, str)]
    # One account stands for many.
    at_once = {"PULSE_REQUESTS_AT_ONCE": "48", "PULSE_REQUESTS_BESIDE_OTHERS": "12"}
    caps = {"PULSE_OPEN_ORDERS_PER_ACCOUNT": "0", "PULSE_OPEN_SLICES_PER_ACCOUNT": "0"}
    caps |= {"PULSE_CHECK_WINDOWS": "false"}
    return {name.upper(): "999999999/second" for name in limits} | at_once | caps


def _settings(folder: Path) -> StackSettings:
    return StackSettings(
        data_dir=folder,
        broker="paper",
        gapi_bind_host="127.0.0.1",
        gapi_port=free_port(),
        pulse_port=free_port(),
        exchange_port=free_port(),
        flower_port=free_port(),
        gapi_metrics_port=free_port(),
        pulse_metrics_port=free_port(),
        slices_metrics_port=free_port(),
        control_metrics_port=free_port(),
        beat_metrics_port=free_port(),
    )
