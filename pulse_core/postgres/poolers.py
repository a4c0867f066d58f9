"""Whether a connection is a session of its own, or a proxy deals its transactions out among others' sessions."""

import secrets
from contextlib import closing
from typing import Any

import psycopg2

from pulse_core.errors import SharedSession

SENTENCE = (
    "DATABASE_URL leads through a proxy that runs the transactions of a connection in any session (PgBouncer's "
    "pool_mode=transaction or statement), where the fence that keeps a slice from being sent twice guards nothing: "
    "connect directly, or in session mode."
)
# Beside other clients a proxy may deal out the same sessions a few times over.
_ROUNDS = 25


def check_session(url: str) -> None:
    """Raises SharedSession when two connections to this URL do not keep a session each, or psycopg2's errors."""
    with closing(_connect(url)) as first, closing(_connect(url)) as second:
        if _is_shared(first, second) or not _keeps_its_lock(first):
            raise SharedSession(SENTENCE)


def _connect(url: str) -> Any:
    connection = psycopg2.connect(url, connect_timeout=2, tcp_user_timeout=10_000, application_name="pulse")
    connection.autocommit = True
    return connection


def _is_shared(first: Any, second: Any) -> bool:
    sessions = _session(first), _session(second)
    if sessions[0] == sessions[1]:
        return True
    second.autocommit = False
    return any(_session_beside_a_transaction(first, second) != sessions for _ in range(_ROUNDS))


def _session_beside_a_transaction(first: Any, second: Any) -> tuple[int, int]:
    # While the transaction is open its session is taken: a proxy that shares sessions has to deal out another one.
    others = _session(second)
    own = _session(first)
    second.rollback()
    return own, others


def _session(connection: Any) -> int:
    return int(_ask(connection, "SELECT pg_backend_pid()"))


def _keeps_its_lock(connection: Any) -> bool:
    key = secrets.randbits(62)
    _ask(connection, "SELECT pg_advisory_lock(%s)", key)
    return bool(_ask(connection, "SELECT pg_advisory_unlock(%s)", key))


def _ask(connection: Any, question: str, *parameters: int) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(question, parameters)
        return cursor.fetchone()[0]
