"""Whether this process can work with the database that it was given, before it serves and whenever it is asked.

What may pass by itself is waited for: a database that is not up yet, a standby that will be promoted, one that
each commit waits for. Where only a person can mend it the process ends with a sentence: without tables, with those of
another revision, behind a proxy that shares sessions.
"""

import os
import signal
import threading
import time

import psycopg2.errors
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from api_contract.log import get_logger
from api_contract.troubles import troubles
from pulse_core import db
from pulse_core.errors import DatabaseUnavailable, SharedSession, WrongTables
from pulse_core.postgres import commits, handshake

log = get_logger(__name__)

AGAIN_SECONDS = 1.0
FOR_GOOD = (SharedSession, WrongTables)
READ_ONLY = "Postgres takes no writes: set default_transaction_read_only off"
COMMITS_WAIT = "commits wait for a synchronous standby: start it, or take it out of synchronous_standby_names"
NO_RIGHTS = (
    "the role of DATABASE_URL may not read the tables: run `pulse migrate` with PULSE_OWNER_DATABASE_URL, which gives "
    "it its rights"
)

_IS_READ_ONLY = text("SELECT current_setting('transaction_read_only') = 'on'")


def check() -> None:
    """Raises one of FOR_GOOD where somebody must mend it first, another DatabaseUnavailable where it may pass."""
    db.check_session()
    try:
        with db.statement() as connection:
            if connection.scalar(_IS_READ_ONLY):
                raise DatabaseUnavailable(READ_ONLY)
            if commits.wait_for_a_standby(connection):
                raise DatabaseUnavailable(COMMITS_WAIT)
            handshake.check(connection)
    except ProgrammingError as refused:
        if isinstance(refused.orig, psycopg2.errors.InsufficientPrivilege):
            raise WrongTables(NO_RIGHTS) from None
        raise


def wait_until_fit(process: str) -> None:
    """Return once the database can be worked with, however long that takes; ends the process where it never will."""
    while not _is_fit(process):
        time.sleep(AGAIN_SECONDS)


def is_fit_or_waits(process: str) -> bool:
    """Whether the database can be worked with now. If not it is waited for in the background: what serves goes on."""
    if is_fit := _is_fit(process):
        return is_fit
    threading.Thread(target=_look_on, args=(process,), name="fitness", daemon=True).start()
    return False


def reason_of(away: DatabaseUnavailable) -> str:
    """What keeps from the database, in the words of the server or its client: for operators, not for callers."""
    cause = away.__cause__
    told = str(getattr(cause, "orig", None) or cause or away.message).strip()
    return told.splitlines()[0] if told else away.message


def _is_fit(process: str) -> bool:
    try:
        check()
    except FOR_GOOD as unfit:
        raise SystemExit(f"{process} cannot start: {unfit.message.removesuffix('.')}.") from None
    except DatabaseUnavailable as away:
        troubles.warn(log, "start", "start waits for the database", reason=reason_of(away))
        return False
    return True


def _look_on(process: str) -> None:
    try:
        wait_until_fit(process)
    except SystemExit as unfit:
        log.critical("process ends", reason=str(unfit))
        os.kill(os.getpid(), signal.SIGTERM)
