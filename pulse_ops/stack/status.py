"""What tells how a deployment is doing: the processes of a stack, the queues, the database, the lag."""

from contextlib import closing
from dataclasses import dataclass

import psutil
import psycopg2
import redis
from kombu.connection import Connection
from sqlalchemy.exc import SQLAlchemyError

from pulse_core import migrations, queue
from pulse_core.postgres.urls import libpq_url
from pulse_core.queue_away import UNREACHABLE
from pulse_ops.stack.processes import QUEUES
from pulse_ops.stack.redis import client_for_one_question
from pulse_ops.stack.running import RunningProcess, RunningStack

# What waits to be given its turn under the broker's limits is late only if nobody gives any although there is room.
_OLDEST_OVERDUE = """
SELECT greatest(coalesce(extract(epoch FROM now() - min(
           CASE WHEN turn_at IS NULL THEN greatest(due_at, budget.busy_until)
                ELSE least(turn_at, hinted_until) END)), 0), 0)::float8
FROM order_slices JOIN orders ON orders.id = order_id AND orders.hold IS NULL
     AND orders.broker <> ALL (SELECT name FROM broker_accounts WHERE state <> 'READY'),
     (SELECT max(greatest(given_at, room_at, full_until)) FROM broker_budgets) AS budget (busy_until)
WHERE order_slices.status = 'SCHEDULED' AND due_at < now()
"""
_OPEN_ALARMS = "SELECT count(*) FROM alarms WHERE status <> 'RESOLVED'"


@dataclass(frozen=True)
class ProcessStatus:
    """`uptime_seconds` is None while it does not run."""

    name: str
    state: str
    pid: int | None
    uptime_seconds: float | None
    restarts: int


def process_statuses(stack: RunningStack, now: float) -> list[ProcessStatus]:
    """The processes that a stack has started; `now` is in seconds since the epoch."""
    return [_process_status(one, now) for one in stack.processes]


def queue_depths(queue_url: str, prefix: str) -> dict[str, int | None]:
    """Messages that wait in each queue; None when the queue cannot be asked. The prefix is Redis's alone."""
    if not queue_url.startswith(("redis://", "rediss://")):
        try:
            return dict(amqp_depths(queue_url))
        except UNREACHABLE:
            return dict.fromkeys(QUEUES)
    with closing(client_for_one_question(queue_url)) as client:
        try:
            return {name: int(client.llen(prefix + name)) for name in QUEUES}
        except redis.RedisError:
            return dict.fromkeys(QUEUES)


def amqp_depths(queue_url: str) -> dict[str, int]:
    """Messages of RabbitMQ that wait in each queue, without those that a worker holds. Raises one of UNREACHABLE."""
    with Connection(queue_url, connect_timeout=2) as connection:  # type: ignore[no-untyped-call]
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        return {name: queue.depth(connection, name) for name in QUEUES}


def database_revision(database_url: str) -> str | None:
    """The migration that the database is at; None when it has none or does not answer."""
    try:
        return migrations.current(database_url)
    except SQLAlchemyError:
        return None


def lag_seconds(database_url: str) -> float | None:
    """How long the oldest slice that should have gone out is waiting; 0 when none is."""
    try:
        connect = psycopg2.connect(libpq_url(database_url), connect_timeout=2)
        with closing(connect) as connection, connection.cursor() as cursor:
            cursor.execute(_OLDEST_OVERDUE)
            return float(cursor.fetchone()[0])
    except psycopg2.Error:
        return None


def open_alarms(database_url: str) -> int | None:
    """How many alarms are not resolved; None when the database cannot tell."""
    try:
        connect = psycopg2.connect(libpq_url(database_url), connect_timeout=2)
        with closing(connect) as connection, connection.cursor() as cursor:
            cursor.execute(_OPEN_ALARMS)
            return int(cursor.fetchone()[0])
    except psycopg2.Error:
        return None


def _process_status(one: RunningProcess, now: float) -> ProcessStatus:
    is_running = one.pid is not None and _is_running(one.pid)
    return ProcessStatus(
        name=one.name,
        state="running" if is_running else "down",
        pid=one.pid if is_running else None,
        uptime_seconds=round(now - one.started_at, 1) if is_running else None,
        restarts=one.restarts,
    )


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
