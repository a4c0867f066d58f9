"""A real PgBouncer between the tests and their Postgres."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg2
from sqlalchemy import make_url

from pulse_ops.stack.child import Child, Program
from pulse_ops.stack.ports import free_port
from tests.support import debian, lacking, servers

CONFIGURATION = """
[databases]
pulse = host={server.host} port={server.port} dbname={server.database} user={server.username} password={server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
"""


@contextmanager
def running_pgbouncer(folder: Path, database_url: str, port: int = 0, **settings: str) -> Iterator[str]:
    """The URL of the database through a PgBouncer with these settings. Skips the test where there is none."""
    require()
    port = port or free_port()
    url = f"postgresql://anybody@127.0.0.1:{port}/pulse"
    configuration = folder / "pgbouncer.ini"
    stated = "".join(f"{name} = {value}\n" for name, value in settings.items())
    configuration.write_text(CONFIGURATION.format(server=make_url(database_url), port=port) + stated)
    as_user = ("-u", "nobody") if os.geteuid() == 0 else ()
    command = (_program() or "", "-q", *as_user, str(configuration))
    child = Child(Program("pgbouncer", command, lambda _pid: _answers(url)), folder / "pgbouncer.log")
    try:
        servers.start(child)
        yield url
    finally:
        child.stop(5)


def require() -> None:
    """Skip the test where PgBouncer cannot be had."""
    if reason := why_not():
        lacking.skip(reason, could_run=debian.may_install())


@cache
def why_not() -> str | None:
    """Why there is no PgBouncer here, in one sentence, or None. Installs it where it may."""
    return None if _program() else debian.why_not_installed("pgbouncer")


def _program() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


def _answers(url: str) -> bool:
    try:
        psycopg2.connect(url, connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True
