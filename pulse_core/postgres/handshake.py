"""Code and tables agree before a process works: which revisions of the tables the code can do with, and the reverse.

The files of the revisions say it. `NEEDED_BY_CODE = False`: code of this revision does without it. And
`WORKS_WITH_CODE_FROM = "0035"`: so old may code be that works with these tables, which each migration notes in the
database. Where a file says neither, tables and code must be of the same revision.
"""

import re
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, text

from pulse_core.errors import WrongTables

VERSIONS = Path(__file__).parents[1] / "migrations" / "versions"

_IS_OPTIONAL = re.compile(r"^NEEDED_BY_CODE = False$", re.MULTILINE)
_WORKS_FROM = re.compile(r'^WORKS_WITH_CODE_FROM = "(\d{4})"$', re.MULTILINE)

_HAS_TABLES = text("SELECT to_regclass('alembic_version') IS NOT NULL")
_REVISION = text("SELECT max(version_num) FROM alembic_version")
_OLDEST_CODE = text("SELECT oldest_code FROM installation")
_NOTE = text("UPDATE installation SET oldest_code = :oldest_code")
_CAN_NOTE = text(
    "SELECT FROM pg_attribute WHERE attrelid = to_regclass('installation')"
    " AND attname = 'oldest_code' AND NOT attisdropped"
)

EMPTY = "the database of DATABASE_URL has no tables: run `pulse migrate`"
BEHIND = "the tables are at revision {found}, and this code needs {oldest} or newer: run `pulse migrate`"
AHEAD = (
    "the tables are at revision {found}, and this code works with {newest} at most: install the release that migrated "
    "them, or go back with `pulse migrate --down {newest}` of that release"
)


def newest_revision() -> str:
    """The newest revision of the tables that this code knows, without the tool that migrates."""
    return _revisions()[-1]


def oldest_revision() -> str:
    """The oldest revision of the tables that this code can do with."""
    return next(one for one in reversed(_revisions()) if not _IS_OPTIONAL.search(_text_of(one)))


def oldest_code_for(revision: str) -> str:
    """The revision of the oldest code that works with tables of this revision."""
    applied = (one for one in _revisions() if one <= revision)
    return max((_stated_of(one) for one in applied), default=revision)


def check(connection: Connection) -> None:
    """Raises WrongTables, with the mend, unless this code and the tables work together."""
    found = connection.scalar(_REVISION) if connection.scalar(_HAS_TABLES) else None
    if found is None:
        raise WrongTables(EMPTY)
    oldest, newest = oldest_revision(), newest_revision()
    if found < oldest:
        raise WrongTables(BEHIND.format(found=found, oldest=oldest))
    if found > newest and not _is_let_in(connection, newest):
        raise WrongTables(AHEAD.format(found=found, newest=newest))


def note_oldest_code(connection: Connection, revision: str | None) -> None:
    """Write down which code may work with the tables as they are now; older tables have no place for it."""
    if revision is not None and connection.execute(_CAN_NOTE).first() is not None:
        connection.execute(_NOTE, {"oldest_code": oldest_code_for(revision)})


def _is_let_in(connection: Connection, newest: str) -> bool:
    oldest_code = connection.scalar(_OLDEST_CODE)
    return oldest_code is not None and oldest_code <= newest


def _stated_of(revision: str) -> str:
    stated = _WORKS_FROM.search(_text_of(revision))
    return stated[1] if stated else revision


@cache
def _revisions() -> tuple[str, ...]:
    return tuple(sorted(_files()))


@cache
def _files() -> dict[str, Path]:
    return {path.name.partition("_")[0]: path for path in VERSIONS.glob("[0-9]*.py")}


def _text_of(revision: str) -> str:
    return _files()[revision].read_text()
