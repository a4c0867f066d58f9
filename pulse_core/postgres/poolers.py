"""Whether a connection is a session of its own, or a proxy deals its transactions out among others' sessions."""

import secrets
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import psycopg2

from pulse_core.errors import SharedSession
from pulse_core.postgres import lineage

SHARED, DIRECT = "DATABASE_URL", "PULSE_FENCE_DATABASE_URL"

_SHARES = (
    "{variable} leads through a proxy that runs the transactions of a connection in any session (PgBouncer's "
    "pool_mode=transaction or statement), where the fence that keeps a slice from being sent twice guards nothing: "
    "connect directly, or in session mode"
)
SENTENCE = _SHARES.format(variable=SHARED) + f", or name Postgres itself in {DIRECT}."
SENTENCE_OF_DIRECT = _SHARES.format(variable=DIRECT) + "."
ANOTHER = f"{SHARED} and {DIRECT} lead to different databases: a fence in one guards nothing in the other."
UNSET = (
    "behind the proxy of "
    + SHARED
    + " {found}, as no session is ours to set: {mend}; then have the proxy connect anew."
)
# So strict at least; what is longer or off lets a transaction of ours go on where it must not.
_MOST = frozenset({"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"})
_IN_FORCE = """
    SELECT lower(name), setting, current_user FROM pg_settings WHERE lower(name) = ANY(%s) ORDER BY name
"""
# Beside other clients a proxy may deal out the same sessions a few times over.
_ROUNDS = 25


def check_session(url: str, variable: str = SHARED) -> None:
    """Raises SharedSession when two connections to this URL do not keep a session each, or psycopg2's errors."""
    with closing(_connect(url)) as first, closing(_connect(url)) as second:
        if _is_shared(first, second) or not _keeps_its_lock(first):
            raise SharedSession(SENTENCE if variable == SHARED else SENTENCE_OF_DIRECT)


def check_shared(url: str, direct_url: str, wanted: Mapping[str, str]) -> None:
    """Whether transactions through a proxy are as good as those of a session of ours: settings, and which database.

    Raises SharedSession with the mend, or psycopg2's errors.
    """
    with closing(_connect(url)) as shared, closing(_connect(direct_url)) as direct:
        if _database(shared) != _database(direct):
            raise SharedSession(ANOTHER)
        wrong, role = _not_in_force(shared, wanted)
        if wrong:
            found = " and ".join(f"{name} is {setting}" for name, setting in wrong.items())
            mend = "; ".join(f"ALTER ROLE {role} SET {name} = '{wanted[name]}'" for name in wrong)
            raise SharedSession(UNSET.format(found=found, mend=mend))


def _database(connection: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(lineage.LOOK)
        return str(cursor.fetchone()[0])


def _not_in_force(connection: Any, wanted: Mapping[str, str]) -> tuple[Mapping[str, str], str]:
    """The settings that are otherwise than wanted, and whose they are."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_FORCE, (list(wanted),))
        rows = cursor.fetchall()
    return {name: setting for name, setting, _role in rows if not _will_do(name, setting, wanted[name])}, rows[0][2]


def _will_do(name: str, setting: str, wanted: str) -> bool:
    return 0 < int(setting) <= int(wanted) if name in _MOST else setting == wanted


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
