"""A database on a host of its own, and processes on others."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import redis
from sqlalchemy import make_url

from tests.support.hosts import Host
from tests.support.servers import RunningPostgres, connected_to, running_postgres, running_redis


@contextmanager
def standing_on(host: Host) -> Iterator[None]:
    """Let this thread, and what it starts, connect and listen on another host."""
    with Path("/proc/thread-self/ns/net").open() as here:
        move_to(host)
        try:
            yield
        finally:
            _enter(here.fileno())


def move_to(host: Host) -> None:
    """Let this thread, and what it starts, connect and listen on another host from now on."""
    with Path("/run/netns", host.namespace).open() as there:
        _enter(there.fileno())


@contextmanager
def a_database(server: Host, folder: Path) -> Iterator[str]:
    """A migrated database, also for this process; its URL from other hosts."""
    with running_postgres(folder, listen_addresses="*") as postgres:
        let_hosts_in(postgres, folder)
        services_url = postgres.migrated()
        with connected_to(services_url):
            yield make_url(services_url).set(host=server.address).render_as_string(hide_password=False)


def let_hosts_in(postgres: RunningPostgres, folder: Path) -> None:
    """Let other hosts connect, standbys too; `folder` is the one that it was started in."""
    with (folder / "postgres" / "data" / "pg_hba.conf").open("a") as rules:
        rules.write("host all,replication all 10.77.0.0/16 scram-sha-256\n")
    with closing(psycopg2.connect(postgres.url())) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_reload_conf()")


@contextmanager
def a_queue(server: Host, folder: Path) -> Iterator[str]:
    """A Redis on this host; its URL from other hosts."""
    with running_redis(folder) as running:
        with closing(redis.Redis.from_url(running.url)) as client:
            client.config_set("bind", f"127.0.0.1 {server.address}")
        yield running.url.replace("127.0.0.1", server.address)


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
