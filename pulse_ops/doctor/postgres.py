"""Whether Postgres takes what we write, and is the one that the code needs."""

from collections.abc import Iterator
from typing import Any

import psycopg2
import psycopg2.errors

from pulse_core import migrations
from pulse_core.errors import SharedSession
from pulse_core.postgres import commits, poolers
from pulse_core.postgres.urls import libpq_url
from pulse_ops.doctor.findings import Finding, Trouble, fine, wrong
from pulse_ops.stack.status import database_revision

ROOM_MB = 16
# Of the settings that a transaction needs, those that no process may choose for itself.
SAFE = {"timezone": "UTC", "synchronous_commit": "on"}
# Short enough to be stored as it is: a row of 2 KB.
_TAKE_ROOM = """
    CREATE TEMP TABLE pulse_doctor_room ON COMMIT DROP AS
    SELECT repeat(md5(n::text), 60) FROM generate_series(1, 500 * %s) n
"""


def takes_writes(cursor: Any) -> Iterator[Finding]:
    """Postgres may be a standby, have been set to read only, or let all commits wait."""
    if reason := why_nothing_is_written(cursor):
        yield reason
        return
    yield from _has_room(cursor)


def why_nothing_is_written(cursor: Any) -> Finding | None:
    """What keeps every process from writing, its signs of life too; None where they can."""
    cursor.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'")
    is_standby, is_read_only = cursor.fetchone()
    if is_standby or is_read_only:
        why = "it is a standby" if is_standby else "transaction_read_only is on"
        return wrong("database", Trouble.DATABASE_READ_ONLY, why)
    cursor.execute(commits.LONGEST_WAIT)
    waiting, seconds = cursor.fetchone()
    if seconds > commits.PATIENCE_SECONDS:
        return wrong("database", Trouble.DATABASE_AWAITS_STANDBY, f"{waiting} wait, the longest for {seconds:.0f} s")
    return None


def keeps_commits(cursor: Any, is_live: bool) -> Iterator[Finding]:
    """What Postgres confirms must be on its disk; with the paper exchange alone, that is said and is no trouble."""
    cursor.execute("SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'")
    off = " and ".join(sorted(name for (name,) in cursor.fetchall()))
    if off and is_live:
        yield wrong("database's commits", Trouble.DATABASE_LOSES_COMMITS, f"{off} off")
    else:
        yield fine("database's commits", f"may be lost in a crash of its machine: {off} off" if off else "are kept")


def _has_room(cursor: Any) -> Iterator[Finding]:
    """Rows that nobody else sees, and that are gone at once: Postgres takes the room for them all the same."""
    cursor.execute("BEGIN")
    try:
        cursor.execute("SET LOCAL temp_tablespaces = ''")
        cursor.execute(_TAKE_ROOM, (ROOM_MB,))
    except psycopg2.errors.DiskFull as full:
        yield wrong("database", Trouble.DATABASE_FULL, f"no room for {ROOM_MB} MB ({_first_line(full)})")
    except psycopg2.errors.InsufficientPrivilege:
        yield fine("database", "answers; this role may not try whether there is room")
    else:
        yield fine("database", "answers and takes writes")
    finally:
        cursor.execute("ROLLBACK")


def sessions(database_url: str) -> Iterator[Finding]:
    """Each connection has to have a session of its own."""
    check = "database's sessions"
    try:
        poolers.check_session(libpq_url(database_url))
    except SharedSession as shared:
        yield Finding(check, False, "are shared", shared.message, Trouble.DATABASE_SESSIONS)
    except psycopg2.Error as error:
        yield wrong(check, Trouble.UNEXAMINED, _first_line(error))
    else:
        yield fine(check, "one for each connection")


def pooler(database_url: str, direct_url: str) -> Iterator[Finding]:
    """What DATABASE_URL leads through has to lead to the same database, and its transactions to be as safe."""
    check = "database's pooler"
    try:
        poolers.check_shared(libpq_url(database_url), libpq_url(direct_url), SAFE)
    except SharedSession as unfit:
        yield Finding(check, False, "is not fit", unfit.message, Trouble.DATABASE_SESSIONS)
    except psycopg2.Error as error:
        yield away(error)
    else:
        yield fine(check, "leads to the same database")


def revision(database_url: str) -> Iterator[Finding]:
    """The code works with one revision of the tables only."""
    found, head = database_revision(database_url), migrations.head()
    if found == head:
        yield fine("migrations", f"at {head}")
    else:
        yield wrong("migrations", Trouble.DATABASE_BEHIND, f"it is at {found or 'none'}, the code needs {head}")


def away(error: psycopg2.Error) -> Finding:
    # Of several hosts the last one; what is indented below it is advice.
    told = [line for line in str(error).strip().splitlines() if not line.startswith("\t")]
    return wrong("database", Trouble.DATABASE_AWAY, told[-1])


def _first_line(error: psycopg2.Error) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
