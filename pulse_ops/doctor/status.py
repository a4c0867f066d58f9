"""How a deployment is doing: its processes, its queues, its database, its lag and its troubles."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import psycopg2

from pulse_core import migrations
from pulse_core.postgres.urls import libpq_url
from pulse_ops.doctor.broker import BrokerLogin, read_logins
from pulse_ops.doctor.deployment import Deployment
from pulse_ops.doctor.examine import examine_deployment
from pulse_ops.doctor.findings import Finding
from pulse_ops.doctor.processes import Reported, read_processes
from pulse_ops.stack.processes import QUEUES
from pulse_ops.stack.status import (
    ProcessStatus,
    database_revision,
    lag_seconds,
    open_alarms,
    process_statuses,
    queue_depths,
)


@dataclass(frozen=True)
class Status:
    """A value is None when what would tell it does not answer. `lag_seconds`: how long the oldest slice is overdue.

    `processes` are those that the stack of this machine has started, `reported` those that say so in the database.
    """

    is_healthy: bool
    urls: dict[str, str]
    processes: Sequence[ProcessStatus]
    reported: Sequence[Reported]
    queues: dict[str, int | None]
    database_revision: str | None
    code_revision: str
    lag_seconds: float | None
    open_alarms: int | None
    broker_accounts: Sequence[BrokerLogin]
    troubles: Sequence[Finding]


def status_of(deployment: Deployment) -> Status:
    """Ask everything once."""
    stack, database_url, redis_url = deployment.stack, deployment.database_url or "", deployment.redis_url
    processes = process_statuses(stack, time.time()) if stack else []
    is_running = stack is None or (stack.is_ready and all(one.state == "running" for one in processes))
    troubles = [finding for finding in examine_deployment(deployment) if not finding.is_ok]
    return Status(
        is_healthy=is_running and not troubles,
        urls=stack.urls if stack else dict(deployment.services),
        processes=processes,
        reported=_reported(database_url),
        queues=queue_depths(redis_url, deployment.queue_prefix) if redis_url else dict.fromkeys(QUEUES),
        database_revision=database_revision(database_url),
        code_revision=migrations.head(),
        lag_seconds=lag_seconds(database_url),
        open_alarms=open_alarms(database_url),
        broker_accounts=broker_logins(database_url),
        troubles=troubles,
    )


def broker_logins(database_url: str) -> Sequence[BrokerLogin]:
    """Empty where the database does not answer."""
    try:
        connect = psycopg2.connect(libpq_url(database_url), connect_timeout=2)
        with closing(connect) as connection, connection.cursor() as cursor:
            return read_logins(cursor)
    except psycopg2.Error:
        return []


def _reported(database_url: str) -> Sequence[Reported]:
    try:
        connect = psycopg2.connect(libpq_url(database_url), connect_timeout=2)
        with closing(connect) as connection, connection.cursor() as cursor:
            return read_processes(cursor)
    except psycopg2.Error:
        return []
