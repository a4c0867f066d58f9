"""Move whole days out of the paper exchange's ledger: write, read back, remove, all beside the exchange that runs.

What it counts from its trades, which are holdings, positions, volumes and last prices, is carried forward in the same
transaction that removes them. After a crash the next run goes on from there.

An exchange that speaks Alpaca's protocol shows orders of any day, takes no client order id a second time, and is asked
by it whether an order was placed: there an order's own row stays.
"""

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pulse_ops.archive import files
from pulse_ops.archive.archiving import TRIES, Archived, NotYet
from pulse_ops.archive.files import Damaged, Part
from pulse_ops.paper_exchange.schema import open_for_writing

LEDGER, OF_ALPACA = "ledger", "ledger-alpaca"
_INDIA = timedelta(hours=5, minutes=30)
# The day of a request: that of its order, else the one in India on which it came.
_DATED = """
    CREATE TEMP VIEW dated AS
    SELECT arrivals.*, coalesce(day, date((arrived_at + 19800000000) / 1000000, 'unixepoch')) AS day
      FROM arrivals LEFT JOIN orders USING (order_id)
"""
_ROWS: Mapping[str, str] = {
    "orders": "SELECT * FROM orders WHERE day = ? ORDER BY number",
    "trades": "SELECT trades.* FROM trades JOIN orders USING (order_id) WHERE day = ? ORDER BY trades.number",
    "changes": "SELECT changes.* FROM changes JOIN orders USING (order_id) WHERE day = ? ORDER BY changes.number",
    "arrivals": "SELECT * FROM arrivals WHERE number IN (SELECT number FROM dated WHERE day = ?) ORDER BY number",
}
_OLDEST = "SELECT min(day) FROM (SELECT min(day) AS day FROM {} UNION ALL SELECT min(day) FROM dated)"
# By what tells that an order's day is here still: each has changes from its first instant on.
_LEFT = {LEDGER: "orders", OF_ALPACA: "changes JOIN orders USING (order_id)"}
_OPEN = "SELECT order_id FROM orders WHERE day <= ? AND status NOT IN ('COMPLETE', 'CANCELLED', 'REJECTED') LIMIT 1"
_PENDING = "SELECT number FROM dated WHERE day <= ? AND outcome = 'PENDING' LIMIT 1"
_CARRY = """
    INSERT INTO carried
    SELECT day.*, price FROM (
        SELECT exchange, tradingsymbol, product, transaction_type, sum(trades.quantity),
               sum(trades.quantity * trades.price), min(trades.number), max(trades.number) AS last_number
          FROM trades JOIN orders USING (order_id) WHERE orders.day = ? GROUP BY 1, 2, 3, 4
    ) AS day JOIN trades ON trades.number = day.last_number WHERE true
    ON CONFLICT (exchange, tradingsymbol, product, side) DO UPDATE
       SET quantity = carried.quantity + excluded.quantity, value = carried.value + excluded.value,
           first_number = min(carried.first_number, excluded.first_number),
           last_price = iif(excluded.last_number > carried.last_number, excluded.last_price, carried.last_price),
           last_number = max(carried.last_number, excluded.last_number)
"""
# The next number is one more, though nothing of before is left.
_NUMBERS_KEPT = tuple(
    f"INSERT OR REPLACE INTO meta SELECT 'last_{table}', max(number) FROM {table} HAVING max(number) > 0"  # noqa: S608
    for table in ("arrivals", "orders", "trades")
)
_REMOVED = (
    "DELETE FROM arrivals WHERE number IN (SELECT number FROM dated WHERE day = ?)",
    "DELETE FROM trades WHERE order_id IN (SELECT order_id FROM orders WHERE day = ?)",
    "DELETE FROM changes WHERE order_id IN (SELECT order_id FROM orders WHERE day = ?)",
)
_ORDERS_REMOVED = "DELETE FROM orders WHERE day = ?"

# Told after each step that a crash could follow.
Passed = Callable[[str], None]


@dataclass(frozen=True)
class _Ledger:
    connection: sqlite3.Connection
    mark: str
    kind: str


def archive_ledger(
    ledger: Path, archive: Path, before: date, passed: Passed = lambda _step: None
) -> Iterator[Archived]:
    """Move the exchange's days before `before`, the oldest first. Raises NotYet, Damaged, sqlite3.Error, OSError."""
    with closing(open_for_writing(ledger)) as connection:
        notes = dict(tuple(row) for row in connection.execute("SELECT name, value FROM meta"))
        connection.execute(_DATED)
        kind = OF_ALPACA if notes.get("wire") == "alpaca" else LEDGER
        opened = _Ledger(connection, f"ledger {notes.get('born', '')}", kind)
        _check_archive(archive, opened)
        while (day := _oldest(opened)) is not None and day < before:
            yield _archive_day(opened, archive, day, passed)


def today(now: datetime) -> date:
    """The exchange's day, in India."""
    return (now.astimezone(UTC) + _INDIA).date()


def _check_archive(archive: Path, ledger: _Ledger) -> None:
    """Numbers of two ledgers are the same: together they could not be read."""
    for day in files.days_in(archive, ledger.kind):
        for part in files.parts_of(archive, ledger.kind, day):
            if (found := files.read_manifest(part).installation) != ledger.mark:
                raise Damaged(f"{part.folder} is of another ledger: {found}")


def _oldest(ledger: _Ledger) -> date | None:
    found = ledger.connection.execute(_OLDEST.format(_LEFT[ledger.kind])).fetchone()[0]
    return None if found is None else date.fromisoformat(found)


def _archive_day(ledger: _Ledger, archive: Path, day: date, passed: Passed) -> Archived:
    """What an earlier run has written is removed, if it is still so; else the day is written anew."""
    _check_day(ledger.connection, day)
    parts = files.parts_of(archive, ledger.kind, day)
    for number in range(len(parts), len(parts) + TRIES):
        if not parts:
            parts = [_write(ledger, Part(archive, ledger.kind, day, number + 1))]
            passed("written")
        manifest = files.check(parts[-1])
        passed("read back")
        removed = _remove(ledger, parts[-1])
        if removed is not None:
            passed("removed")
            return Archived(day, manifest.tables["orders"].rows, removed)
        parts = []
    raise NotYet(f"{day} stays, with all days after it: it changed whenever it was written")


def _check_day(connection: sqlite3.Connection, day: date) -> None:
    if found := connection.execute(_OPEN, (day.isoformat(),)).fetchone():
        raise NotYet(f"{day} stays, with all days after it: order {found[0]} of the exchange has not ended")
    if connection.execute(_PENDING, (day.isoformat(),)).fetchone():
        raise NotYet(f"{day} stays, with all days after it: the exchange still takes its time for a request")


def _write(ledger: _Ledger, part: Part) -> Part:
    with _transaction(ledger.connection, "DEFERRED"):
        tables = {name: _lines(ledger.connection, name, part.day) for name in _ROWS}
        files.write(part, "ledger", ledger.mark, datetime.now(UTC).isoformat(), tables)
    return part


def _remove(ledger: _Ledger, part: Part) -> int | None:
    """How many rows have gone; None where the day is no longer as it was written."""
    connection, day = ledger.connection, part.day.isoformat()
    statements = _REMOVED if ledger.kind == OF_ALPACA else (*_REMOVED, _ORDERS_REMOVED)
    with _transaction(connection, "IMMEDIATE"):
        for name in _ROWS:
            if list(_lines(connection, name, part.day)) != list(files.lines(part, name)):
                return None
        connection.execute(_CARRY, (day,))
        for statement in _NUMBERS_KEPT:
            connection.execute(statement)
        return sum(connection.execute(statement, (day,)).rowcount for statement in statements)


def _lines(connection: sqlite3.Connection, table: str, day: date) -> Iterable[str]:
    for row in connection.execute(_ROWS[table], (day.isoformat(),)):
        yield json.dumps(dict(row))


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def put_back(archive: Path, kind: str = LEDGER) -> Iterator[Path]:
    """A ledger of its own that holds all such days of the archive, for whoever reads ledgers. Raises Damaged."""
    with tempfile.TemporaryDirectory(prefix="pulse-ledger-") as folder:
        path = Path(folder) / "ledger.sqlite"
        with closing(open_for_writing(path)) as connection, _transaction(connection, "IMMEDIATE"):
            for day in files.days_in(archive, kind):
                # What was written again counts as it was the last time.
                for part in files.parts_of(archive, kind, day):
                    for table in _ROWS:
                        _put_back(connection, table, list(files.rows(part, table)))
        yield path


def _put_back(connection: sqlite3.Connection, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    if not rows:
        return
    columns = list(rows[0])
    names, places = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    statement = f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({places})"  # noqa: S608
    connection.executemany(statement, map(_plain, rows))


def _plain(row: Mapping[str, object]) -> dict[str, object]:
    # SQLite knows no Decimal, as which fractions are read.
    return {name: float(str(value)) if hasattr(value, "as_tuple") else value for name, value in row.items()}
