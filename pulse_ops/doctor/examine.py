"""Every check of a deployment, in the order in which a trouble should be looked for."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from typing import Any

import psycopg2
import psycopg2.errors

from pulse_core.postgres.urls import libpq_url
from pulse_core.sweeps import SWEEPS
from pulse_ops.doctor import (
    broker,
    calendars,
    disk,
    gateway,
    identities,
    instruments,
    machine,
    orders,
    postgres,
    processes,
    queue,
    sweeps,
)
from pulse_ops.doctor.deployment import Deployment
from pulse_ops.doctor.findings import Finding, Trouble, fine, wrong
from pulse_ops.doctor.processes import TOLERATED_CLOCK_SECONDS
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.status import database_revision

Check = Callable[[Any], Iterator[Finding]]


def examine(settings: StackSettings, deployment: Deployment) -> Iterator[Finding]:
    """This machine and the settings, then the deployment, if one is named."""
    yield from machine.examine_machine(settings, deployment)
    if deployment.is_named or deployment.redis_url:
        yield from examine_deployment(deployment)


def examine_deployment(deployment: Deployment) -> Iterator[Finding]:
    """What its URLs tell, from wherever they can be reached."""
    if deployment.direct_database_url:
        yield from _database(deployment, deployment.direct_database_url)
    if url := deployment.redis_url:
        is_redis = url.startswith(("redis://", "rediss://"))
        yield from queue.redis_keeps_messages(url) if is_redis else queue.rabbitmq_answers(url)
        yield from queue.is_worked_off(url, deployment.queue_prefix)
    yield from broker.shows_its_book(deployment.environment, _is_sealed(deployment))
    for name, url in deployment.services.items():
        yield from gateway.is_ready(name, url)


def _database(deployment: Deployment, database_url: str) -> Iterator[Finding]:
    try:
        connection = psycopg2.connect(libpq_url(database_url), connect_timeout=3, application_name="pulse doctor")
    except psycopg2.Error as error:
        yield postgres.away(error)
        return
    with closing(connection):
        connection.autocommit = True
        yield from postgres.sessions(database_url)
        if deployment.database_url not in (None, database_url):
            yield from postgres.pooler(deployment.database_url or "", database_url)
        yield from postgres.revision(database_url)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', '5000', false), set_config('TimeZone', 'UTC', false)"
            )
            for name, check in _checks(deployment, database_revision(database_url)).items():
                yield from _made(name, check, cursor)


def _is_sealed(deployment: Deployment) -> bool:
    if not deployment.database_url:
        return False
    account = deployment.environment.get("PULSE_BROKER", "paper")
    try:
        connect = psycopg2.connect(libpq_url(deployment.database_url), connect_timeout=3)
        with closing(connect) as connection, connection.cursor() as cursor:
            return broker.are_sealed(cursor, account)
    except psycopg2.Error:
        # It was said that the database is away, or at another revision.
        return False


def _checks(deployment: Deployment, revision: str | None) -> dict[str, Check]:
    checks: dict[str, Check] = {
        "database": postgres.takes_writes,
        "database's commits": partial(postgres.keeps_commits, is_live=_is_live(deployment)),
        "database's clock": _clock,
        "disk": partial(disk.of_postgres, floor_mb=deployment.disk_floor),
        "processes": partial(_processes, deployment, revision),
        "sweeps": partial(sweeps.run_in_time, periods={task.value: one.every for task, one in SWEEPS.items()}),
        "hold": orders.may_be_sent,
        "broker accounts": orders.accounts_are_ready,
        "halts": orders.are_not_halted,
        "broker logins": broker.are_logged_in,
        "identities": partial(identities.know_us, environment=deployment.environment),
        "broker's answers": broker.takes_slices,
        "instruments": instruments.are_listed,
        "calendars": calendars.agree,
        "fences": orders.no_fence_is_left,
        "orders": orders.go_on,
    }
    # Elsewhere it is not known what the services were told.
    if "PULSE_BROKER" in deployment.environment:
        checks["broker accounts reached"] = partial(orders.are_at_accounts_reached, environment=deployment.environment)
    return checks


def _is_live(deployment: Deployment) -> bool:
    return deployment.environment.get("PULSE_BROKER", "paper") != "paper"


def _made(name: str, check: Check, cursor: Any) -> Iterator[Finding]:
    try:
        # As a whole: half of what a check says might mislead.
        yield from list(check(cursor))
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn):
        # The tables are of another revision, which has been said.
        return
    except psycopg2.Error as error:
        with suppress(psycopg2.Error):
            cursor.execute("ROLLBACK")
        yield wrong(name, Trouble.UNEXAMINED, str(error).strip().splitlines()[0])


def _clock(cursor: Any) -> Iterator[Finding]:
    cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
    seconds = abs(float(cursor.fetchone()[0]) - time.time())
    check = "database's clock"
    if seconds <= TOLERATED_CLOCK_SECONDS:
        yield fine(check, f"differs from this machine's by {seconds:.1f} s")
    else:
        yield wrong(check, Trouble.CLOCK_OFF, f"the database's differs from this machine's by {seconds:.1f} s")


def _processes(deployment: Deployment, revision: str | None, cursor: Any) -> Iterator[Finding]:
    found = processes.read_processes(cursor)
    yield from processes.none_is_missing(found, deployment.age_seconds)
    if postgres.why_nothing_is_written(cursor) is None:
        yield from processes.each_goes_on(found)
    else:
        yield fine("signs of life", "not known: none can be written down")
    yield from processes.clocks_agree(found)
    yield from processes.code_agrees(found, revision)
    yield from processes.settings_agree(found)
