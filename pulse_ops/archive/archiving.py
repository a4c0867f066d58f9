"""Move whole days out of the database: write, read back, remove. After a crash the next run goes on from there."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from psycopg2 import extensions

from pulse_ops.archive import files, rows
from pulse_ops.archive.files import Damaged, Part
from pulse_ops.archive.rows import TRADING, Kind

# What ended later is compared with the books of brokers yet, and may be filled late.
RESTED = timedelta(days=3)
# Removed in one transaction, each of which is short: orders of up to a hundred slices, or entries of the audit.
TOGETHER = 20
# A day that changes each time it was written is left to the next run.
TRIES = 3
# How many times as long as a step it rests after it: without, it takes a core of a machine that trades meanwhile.
REST = 1
# In seconds: a step that had to wait for somebody's lock for long is no reason to rest as long.
LONGEST_REST = 60.0
# Two numbers, so that it is none of the locks on slices, which are one.
_LOCK = "SELECT pg_try_advisory_lock(x'6172'::int, x'6368'::int)"
_READ_AT_ONCE = 1000
_MERGED_AT_ONCE = 10_000

# Told where a crash could strike: "writing" and "removing" in the middle of a step, the others after theirs.
Passed = Callable[[str], None]


class Pace:
    """Rests after each step, `rest` times as long as it took, up to LONGEST_REST: trading needs the database, too."""

    def __init__(self, rest: int) -> None:
        self._rest, self._since = rest, monotonic()

    def pause(self) -> None:
        sleep(min(self._rest * (monotonic() - self._since), LONGEST_REST))
        self._since = monotonic()


class NotYet(Exception):
    """A day that cannot go yet, and holds up those after it."""


class Busy(Exception):
    """Another archiving is under way."""


@dataclass(frozen=True)
class Archived:
    """A day that was moved, and how many orders, or entries, and rows that were."""

    day: date
    owners: int
    rows: int


@dataclass(frozen=True)
class Whose:
    """The revision of the tables, and the mark of the installation."""

    revision: str
    installation: str


def archive_days(
    connection: extensions.connection,
    kind: Kind,
    archive: Path,
    before: date,
    whose: Whose,
    passed: Passed = lambda _step: None,
    rest: int = 0,
) -> Iterator[Archived]:
    """Move the days of UTC before `before`, the oldest first; `rest` as Pace has it.

    Raises NotYet, Busy, Damaged, psycopg2.Error, OSError.
    """
    pace = Pace(rest)

    def passed_and_rested(step: str) -> None:
        passed(step)
        # Between transactions, so that a rest holds nothing.
        if step in ("written", "removed"):
            pace.pause()

    if not _value(connection, _LOCK):
        raise Busy("Another `pulse archive` is at it.")
    _value(connection, "SELECT set_config('timezone', 'UTC', false)")
    while (day := _oldest(connection, kind)) is not None and day < before:
        yield _archive_day(connection, kind, archive, day, whose, passed_and_rested)
    if kind is TRADING:
        _forget_merged(connection)


def _oldest(connection: extensions.connection, kind: Kind) -> date | None:
    oldest: datetime | None = _value(connection, kind.oldest)
    return None if oldest is None else oldest.astimezone(UTC).date()


def _check_day(cursor: Any, day: date) -> None:
    cursor.execute(rows.WHY_NOT_YET, _bounds(day) | {"rested": RESTED})
    found = [(order_id, reason) for order_id, reason in cursor if reason is not None]
    if found:
        (order_id, reason), more = found[0], len(found) - 1
        beside = f", and {more} more orders like it" if more else ""
        raise NotYet(f"{day} stays, with all days after it: order {order_id} {reason}{beside}")


def _archive_day(
    connection: extensions.connection, kind: Kind, archive: Path, day: date, whose: Whose, passed: Passed
) -> Archived:
    """What an earlier run has written is removed first; what is left then, or has changed meanwhile, is written."""
    owners = removed = 0
    for part in files.parts_of(archive, kind.name, day):
        done = _remove(connection, kind, part, whose, passed)
        owners, removed = owners + done[0], removed + done[1]
    for _ in range(TRIES):
        written = _write(connection, kind, archive, day, whose, passed)
        if written is None:
            return Archived(day, owners, removed)
        passed("written")
        done = _remove(connection, kind, written, whose, passed)
        owners, removed = owners + done[0], removed + done[1]
    raise NotYet(f"{day} stays, with all days after it: it changed whenever it was written")


def _write(
    connection: extensions.connection, kind: Kind, archive: Path, day: date, whose: Whose, passed: Passed
) -> Part | None:
    """Write what is left of a day, as it is at one instant; None where nothing is. Raises NotYet."""
    numbers = [part.number for part in files.parts_of(archive, kind.name, day)]
    part = Part(archive, kind.name, day, max(numbers, default=0) + 1)
    with _transaction(connection, is_snapshot=True) as cursor:
        cursor.execute(kind.owners, _bounds(day))
        owners = [owner for (owner,) in cursor]
        if not owners:
            return None
        # In the very snapshot that is written: an order may be taken up again at any time.
        if kind is TRADING:
            _check_day(cursor, day)
        tables = {name: _lines(connection, query, owners) for name, query in kind.rows.items()}
        first = next(iter(tables))
        tables[first] = _then(tables[first], "writing", passed)
        files.write(part, whose.revision, whose.installation, datetime.now(UTC).isoformat(), tables)
    return part


def _remove(connection: extensions.connection, kind: Kind, part: Part, whose: Whose, passed: Passed) -> tuple[int, int]:
    """Remove what the part holds and the database holds just so; how many orders or entries, and rows, that were."""
    manifest = files.check(part)
    if manifest.installation != whose.installation:
        raise Damaged(f"{part.folder} is of another installation: {manifest.installation}")
    passed("read back")
    owners = removed = 0
    for together in _batches(kind, part):
        with _transaction(connection) as cursor:
            gone = _remove_together(cursor, kind, together)
            passed("removing")
        owners, removed = owners + len(gone), removed + sum(len(together[one]) for one in gone)
        passed("removed")
    return owners, removed


def _remove_together(cursor: Any, kind: Kind, written: Mapping[str, Sequence[str]]) -> list[str]:
    """Remove those that are there still, just as they were written; which those are."""
    cursor.execute(kind.locked, {"owners": list(written)})
    found: dict[str, list[str]] = {owner: [] for (owner,) in cursor}
    for query in kind.rows.values():
        cursor.execute(query, {"owners": list(found)})
        for owner, line in cursor:
            found[owner].append(line)
    same = [one for one, lines in found.items() if lines == list(written[one])]
    for statement in kind.removed if same else ():
        cursor.execute(statement, {"owners": same})
    return same


def _batches(kind: Kind, part: Part) -> Iterator[Mapping[str, Sequence[str]]]:
    """All rows of some orders, or entries, at a time, in the order of the tables."""
    tables = {name: _Ordered(part, name, kind.owner_of[name]) for name in kind.rows}
    first = tables.pop(next(iter(kind.rows)))
    for together in first.batches(TOGETHER):
        yield {
            owner: [*lines, *(line for one in tables.values() for line in one.of(owner))] for owner, lines in together
        }


class _Ordered:
    """A table of a part, read once, by owners in their order."""

    def __init__(self, part: Part, table: str, owner: str) -> None:
        pairs = ((str(json.loads(line)[owner]), line) for line in files.lines(part, table))
        self._groups = ((key, [line for _, line in group]) for key, group in groupby(pairs, itemgetter(0)))
        self._next = next(self._groups, None)

    def batches(self, size: int) -> Iterator[list[tuple[str, list[str]]]]:
        """All of them, so many owners at a time."""
        if self._next is None:
            return
        whole = iter([self._next, *self._groups])
        while some := list(islice(whole, size)):
            yield some

    def of(self, owner: str) -> list[str]:
        """The rows of this owner, asked for in their order."""
        if self._next is None or self._next[0] != owner:
            return []
        found, self._next = self._next[1], next(self._groups, None)
        return found


def _lines(connection: extensions.connection, query: str, owners: Sequence[str]) -> Iterator[str]:
    """What the query finds of them, in this transaction and a page at a time."""
    with connection.cursor("archived") as cursor:
        cursor.itersize = _READ_AT_ONCE
        cursor.execute(query, {"owners": list(owners)})
        for _owner, line in cursor:
            yield line


def _then(lines: Iterator[str], step: str, passed: Passed) -> Iterator[str]:
    yield from lines
    passed(step)


def _forget_merged(connection: extensions.connection) -> None:
    """In ranges, so that none reads what those before it have removed."""
    with _transaction(connection) as cursor:
        cursor.execute(rows.MERGED_OF_GONE)
        first, end = cursor.fetchone()
    for start in range(first or 0, end or 0, _MERGED_AT_ONCE):
        with _transaction(connection) as cursor:
            cursor.execute(rows.FORGET_MERGED, {"first": start, "end": min(start + _MERGED_AT_ONCE, end)})


def _bounds(day: date) -> dict[str, datetime]:
    begins = datetime.combine(day, time(0), UTC)
    return {"begins": begins, "ends": begins + timedelta(days=1)}


def _value(connection: extensions.connection, query: str) -> Any:
    with _transaction(connection) as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


@contextmanager
def _transaction(connection: extensions.connection, *, is_snapshot: bool = False) -> Iterator[Any]:
    """One transaction; a snapshot shows one instant and changes nothing."""
    level = "REPEATABLE READ" if is_snapshot else "READ COMMITTED"
    connection.set_session(isolation_level=level, readonly=is_snapshot)
    with connection, connection.cursor() as cursor:
        yield cursor
