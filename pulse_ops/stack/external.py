"""Servers that the stack uses and did not start."""

from contextlib import closing

import psycopg2
import redis

from pulse_core.errors import SharedSession
from pulse_core.postgres import poolers
from pulse_core.postgres.urls import libpq_url
from pulse_ops.stack.errors import StackError
from pulse_ops.stack.redis import client_for_one_question


def check_external(database_url: str | None, queue_url: str | None) -> None:
    """Raises StackError when a server that was named does not answer, or not as it must."""
    if database_url:
        _check_postgres(database_url)
    if queue_url and queue_url.startswith(("redis://", "rediss://")):
        _check_redis(queue_url)


def _check_postgres(database_url: str) -> None:
    try:
        poolers.check_session(libpq_url(database_url))
    except SharedSession as shared:
        raise StackError(shared.message) from shared
    except psycopg2.Error as error:
        reason = str(error).strip().splitlines()[-1]
        raise StackError(f"The Postgres of DATABASE_URL is not there ({reason}): start it, or unset it.") from error


def _check_redis(queue_url: str) -> None:
    with closing(client_for_one_question(queue_url)) as client:
        try:
            client.ping()
        except redis.RedisError as error:
            raise StackError(f"The Redis of PULSE_QUEUE_URL is not there ({error}): start it, or unset it.") from error
