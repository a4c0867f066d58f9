"""The life of a stack: check, start the servers, migrate, start the rest, watch, end."""

import errno
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import psycopg2
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from api_contract.variables import with_new_names
from pulse_core import migrations
from pulse_core.migrations.rights import OneRole, let_services_in
from pulse_ops.stack import files, leftovers, lock, plan, preflight, running
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.credentials import check_credentials
from pulse_ops.stack.demo_user import DemoUser, ensure_demo_user
from pulse_ops.stack.errors import StackError
from pulse_ops.stack.external import check_external
from pulse_ops.stack.open_orders import check_orders, find_left_alone
from pulse_ops.stack.postgres import EmbeddedPostgres
from pulse_ops.stack.redis import EmbeddedRedis
from pulse_ops.stack.secrets import Keys, kept_keys
from pulse_ops.stack.supervisor import Say, Stopped, Supervisor

PATIENCE_SECONDS = 90.0

Ready = Callable[[running.RunningStack], None]


def run_stack(
    settings: StackSettings, say: Say, ready: Ready, is_verbose: bool = False, *, leaves_orders: bool = False
) -> None:
    """Run a stack until Ctrl-C or SIGTERM. Raises StackError when it cannot start.

    One that `leaves_orders` starts though orders are open of broker accounts that it does not reach.
    """
    # Whatever is written here, by us and by all that we start, is for our user alone.
    os.umask(0o077)
    try:
        preflight.make_data_dir(settings.data_dir)
        _make_private(settings.data_dir)
        with lock.only_stack_on(settings.data_dir):
            Stack(settings, say, is_verbose, leaves_orders=leaves_orders).run(ready)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StackError(
                f"The disk of {settings.data_dir} is full: free some, or give another --data-dir."
            ) from error
        raise


def _make_private(data_dir: Path) -> None:
    try:
        files.make_private(data_dir)
    except PermissionError as error:
        raise StackError(
            f"{error.filename} belongs to another user: give another folder with --data-dir, or make it yours."
        ) from error


class Stack:
    """One start of one stack."""

    def __init__(self, settings: StackSettings, say: Say, is_verbose: bool, *, leaves_orders: bool) -> None:
        self._settings = settings
        self._data_dir: Path = settings.data_dir.resolve()
        self._say = say
        self._leaves_orders = leaves_orders
        self._supervisor = Supervisor(self._data_dir / "logs", say, is_verbose, settings.restart_pause)
        self._servers = 0
        self._owner_url: str | None = None
        self._environment: dict[str, str] = {}
        self._demo: DemoUser | None = None
        self._started_at = time.time()
        self._is_ready = False

    def run(self, ready: Ready) -> None:
        self._supervisor.stop_on_signals()
        try:
            self._start()
            self._is_ready = True
            self._save()
            ready(self._state())
            self._supervisor.run(changed=self._try_to_save)
        except Stopped:
            pass
        finally:
            self._end()

    def _start(self) -> None:
        if found := leftovers.end_children_of(self._data_dir):
            self._say(f"ended {found} processes that an earlier stack had left behind")
        preflight.check_settings()
        preflight.check_disk(self._data_dir)
        preflight.check_ports(self._settings)
        keys = kept_keys(self._data_dir)
        self._environment = self._start_servers(keys)
        preflight.check_keys(self._environment)
        self._save()
        self._migrate()
        self._check_orders()
        check_credentials(self._environment["DATABASE_URL"], self._settings.broker)
        self._demo = ensure_demo_user(self._settings, keys, self._environment)
        self._say("starting the services")
        self._supervisor.start(plan.programs(self._settings, self._environment), PATIENCE_SECONDS)

    def _check_orders(self) -> None:
        environment = with_new_names(os.environ) | self._environment
        if not self._leaves_orders:
            check_orders(environment["DATABASE_URL"], environment)
            return
        for left in find_left_alone(environment["DATABASE_URL"], environment):
            self._say(f"open orders wait, and nothing of them is sent: broker account {left}")

    def _start_servers(self, keys: Keys) -> dict[str, str]:
        settings = self._settings
        database_url, redis_url = _told(settings.database_url), _told(settings.queue_url)
        self._owner_url = _told(settings.owner_database_url) if database_url else None
        direct_url = self._owner_url or _told(settings.fence_database_url) or database_url
        postgres = None if database_url else EmbeddedPostgres(self._data_dir / "postgres")
        redis = None if redis_url else EmbeddedRedis(self._data_dir / "redis")
        embedded = [server.program() for server in (postgres, redis) if server]
        self._servers = len(embedded)
        if embedded:
            self._say(f"starting {' and '.join(program.name for program in embedded)}")
        # A recovery after a crash takes as long as it takes.
        self._supervisor.start(embedded, math.inf)
        if postgres:
            postgres.create_database()
            self._owner_url = postgres.url()
        # Before the first migration the role of the services need not be there.
        check_external(database_url and direct_url, redis_url)
        return plan.environment(
            settings,
            keys,
            database_url or (postgres.services_url() if postgres else ""),
            redis_url or (redis.url if redis else ""),
        )

    def _migrate(self) -> None:
        self._say("migrating the database")
        database_url = self._environment["DATABASE_URL"]
        direct_url = self._environment.get("PULSE_FENCE_DATABASE_URL", database_url)
        try:
            migrations.upgrade(self._owner_url or direct_url)
            if self._owner_url:
                let_services_in(self._owner_url, database_url)
        except OneRole as error:
            raise StackError(str(error)) from error
        except (SQLAlchemyError, psycopg2.Error) as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise StackError(f"The database could not be migrated ({reason}): see `pulse migrate --check`.") from error

    def _state(self) -> running.RunningStack:
        return running.RunningStack(
            supervisor_pid=os.getpid(),
            started_at=self._started_at,
            is_ready=self._is_ready,
            urls=plan.urls(self._settings),
            demo_user=self._demo.username if self._demo else None,
            demo_password=self._demo.password if self._demo else None,
            environment=self._environment,
            owner_database_url=self._owner_url,
            processes=[
                running.RunningProcess(
                    name=one.name, pid=one.child.pid_if_alive, started_at=one.child.started_at, restarts=one.restarts
                )
                for one in self._supervisor.supervised
            ],
            ledger=plan.ledger_path(self._settings),
        )

    def _save(self) -> None:
        running.save(self._data_dir, self._state())

    def _try_to_save(self) -> None:
        try:
            self._save()
        except OSError as error:
            self._say(f"run.json could not be written ({error.strerror}); `pulse status` may be out of date")

    def _end(self) -> None:
        if self._supervisor.supervised:
            self._say("stopping")
            self._supervisor.stop(self._servers)
            self._say("stopped")
        running.forget(self._data_dir)


def _told(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
