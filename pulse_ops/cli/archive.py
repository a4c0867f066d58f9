"""`pulse archive`: move whole days of history into compressed files, and read them there."""

import json
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import psycopg2

from pulse_core.failpoints import failpoint
from pulse_core.postgres.urls import libpq_url
from pulse_core.trading.client_order_ids import installation_mark
from pulse_ops.archive import archiving, files, ledger, reading
from pulse_ops.archive.archiving import Archived, Busy, NotYet, Whose
from pulse_ops.archive.files import Damaged
from pulse_ops.archive.rows import AUDIT, TRADING, Kind
from pulse_ops.cli import EXIT_FAILURE, EXIT_REFUSED, Sentences, archive_report, options
from pulse_ops.cli.migrate import database_urls
from pulse_ops.cli.output import print_json, print_table, say
from pulse_ops.stack import running
from pulse_ops.stack.errors import StackError

FOLDER = click.Path(path_type=Path, file_okay=False)
# Days; what is younger is compared with the books of brokers, and may be filled late.
LEAST = 4
_KINDS = (TRADING.name, AUDIT.name, ledger.LEDGER, ledger.OF_ALPACA)
_WHOSE = "SELECT (SELECT version_num FROM alembic_version), client_order_id_key FROM installation"

EXIT_CODES = """\b
Exit codes:
  0    every day before that one is in the archive
  1    a file in the archive is not what was written, or the database gave an error
  2    wrong usage or settings
  3    no database
  4    a day cannot go yet, and holds up those after it
Results go to stdout, messages to stderr."""


_to = click.option(
    "--to", "folder", type=FOLDER, envvar="PULSE_ARCHIVE_FOLDER", required=True, help="Where the days go."
)
_trading_days = click.option(
    "--trading-days",
    type=click.IntRange(LEAST),
    envvar="PULSE_RETENTION_TRADING_DAYS",
    default=90,
    show_default=True,
    help="For how many days orders and their slices stay.",
)


@click.group(cls=Sentences, epilog=EXIT_CODES)
def archive() -> None:
    """Keep the database small: whole days of history in compressed files, which `pulse verify` reads, too."""


@archive.command(epilog=EXIT_CODES)
@_to
@click.option("--before", type=click.DateTime(["%Y-%m-%d"]), help="A day of UTC that stays, with all after it.")
@_trading_days
@click.option(
    "--audit-days",
    type=click.IntRange(LEAST),
    envvar="PULSE_RETENTION_AUDIT_DAYS",
    default=1826,
    show_default=True,
    help="For how many days the audit stays.",
)
@click.option(
    "--rest",
    type=click.IntRange(0, 100),
    default=archiving.REST,
    show_default=True,
    help="Rest after each step so many times as long as it took, for trading's sake; 0: never.",
)
@options.data_dir
def run(
    folder: Path, before: datetime | None, trading_days: int, audit_days: int, rest: int, data_dir: Path | None
) -> None:
    """Move what is old enough into the archive, the oldest day first.

    A day of which an order is open, a slice in doubt or an alarm unresolved stays, and so do the days after it. Rows go
    only once their file is written, on the disk and read back, and only if they are still as they were written. After a
    crash at any step it is repeated as it is. It needs the role that owns the tables (PULSE_OWNER_DATABASE_URL).
    """
    today = datetime.now(UTC).date()
    latest = today - timedelta(days=LEAST - 1)
    if before is not None and before.date() > latest:
        raise click.BadParameter(f"no later than {latest}: younger days are in use", param_hint="--before")
    ends = (
        (TRADING, before.date() if before else today - timedelta(days=trading_days)),
        (AUDIT, today - timedelta(days=audit_days)),
    )
    with closing(psycopg2.connect(libpq_url(database_urls(data_dir)[0]), connect_timeout=10)) as connection:
        held_up = [kind for kind, end in ends if not _archive(connection, kind, folder, end, rest)]
    if held_up:
        raise SystemExit(EXIT_REFUSED)


@archive.command("ledger", epilog=EXIT_CODES)
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@_to
@_trading_days
@options.data_dir
def archive_exchange(path: Path | None, folder: Path, trading_days: int, data_dir: Path | None) -> None:
    """Move old days of the paper exchange's ledger into the archive, which `pulse verify --archive` reads, too.

    PATH is its file; without it, that of the running stack. The exchange goes on meanwhile, and with the holdings and
    positions that it had. One that speaks Alpaca's protocol shows orders of any day: their own rows stay. After a crash
    at any step it is repeated as it is.
    """
    path = path or running.find(options.stack_settings(data_dir=data_dir).data_dir).ledger
    if path is None:
        raise StackError("The stack that runs there has no paper exchange.")
    before = ledger.today(datetime.now(UTC)) - timedelta(days=trading_days)
    try:
        for done in ledger.archive_ledger(path, folder, before):
            click.echo(f"{done.day}: {done.owners} orders of the exchange, {done.rows} rows")
    except NotYet as error:
        say(f"{error}.")
        raise SystemExit(EXIT_REFUSED) from None
    except Damaged as error:
        raise StackError(str(error)) from error
    except (sqlite3.Error, OSError) as error:
        raise StackError(f"The day could not be archived: {error}") from error


@archive.command()
@click.option("--from", "folder", type=FOLDER, envvar="PULSE_ARCHIVE_FOLDER", required=True, help="The archive.")
@options.as_json
def days(folder: Path, is_json: bool) -> None:
    """List the days in the archive, each read to its end and compared with what was written."""
    found: list[tuple[str, str, int, dict[str, int]]] = []
    damaged: list[str] = []
    for kind in _KINDS:
        for day in files.days_in(folder, kind):
            for part in files.parts_of(folder, kind, day):
                try:
                    manifest = files.check(part)
                except Damaged as error:
                    damaged.append(str(error))
                    continue
                rows = {name: one.rows for name, one in manifest.tables.items()}
                found.append((kind, day.isoformat(), part.number, rows))
    if is_json:
        names = ("kind", "day", "part", "rows")
        print_json({"days": [dict(zip(names, one, strict=True)) for one in found], "damaged": damaged})
    else:
        rows_of = [[kind, day, part, sum(rows.values())] for kind, day, part, rows in found]
        print_table(["Kind", "Day", ">Part", ">Rows"], rows_of)
    for one in damaged:
        say(one)
    if damaged:
        raise SystemExit(EXIT_FAILURE)


@archive.command()
@click.argument("order_id")
@click.option("--from", "folder", type=FOLDER, envvar="PULSE_ARCHIVE_FOLDER", required=True, help="The archive.")
def show(order_id: str, folder: Path) -> None:
    """Print all rows of an order in the archive as one JSON object, by table."""
    click.echo(json.dumps(_found(folder, order_id), indent=2, default=str))


@archive.command()
@click.argument("what", metavar="ORDER_ID|DAY")
@click.option("--from", "folder", type=FOLDER, envvar="PULSE_ARCHIVE_FOLDER", required=True, help="The archive.")
@options.as_json
def report(what: str, folder: Path, is_json: bool) -> None:
    """Tell of an archived order, or of all orders of an archived day (YYYY-MM-DD), from the files alone.

    Each file that is read is compared with what was written. It needs no database.
    """
    found, day = _found(folder, what), _as_day(what)
    told = archive_report.of_order(found) if day is None else archive_report.of_day(day, found)
    if is_json:
        print_json(told)
    elif day is None:
        archive_report.print_order(told)
    else:
        archive_report.print_day(told)


def _found(folder: Path, what: str) -> dict[str, list[dict[str, Any]]]:
    day = _as_day(what)
    try:
        found = reading.order(folder, what) if day is None else reading.orders_of(folder, day)
    except Damaged as error:
        raise StackError(f"{error}.") from error
    if found is None:
        raise StackError(f"There is no {'order' if day is None else 'day'} {what} in {folder}.")
    return found


def _as_day(what: str) -> date | None:
    with suppress(ValueError):
        return datetime.strptime(what, "%Y-%m-%d").replace(tzinfo=UTC).date()
    return None


def _archive(connection: Any, kind: Kind, folder: Path, before: Any, rest: int) -> bool:
    """Whether all of it could go."""
    try:
        for done in archiving.archive_days(connection, kind, folder, before, _whose(connection), _pass, rest):
            _tell(kind, done)
    except NotYet as error:
        say(str(error))
        return False
    except (Busy, Damaged) as error:
        raise StackError(str(error)) from error
    except (psycopg2.Error, OSError) as error:
        raise StackError(f"The day could not be archived: {str(error).strip().splitlines()[0]}") from error
    return True


def _pass(step: str) -> None:
    failpoint(f"archive.{step.replace(' ', '_')}")


def _whose(connection: Any) -> Whose:
    with connection, connection.cursor() as cursor:
        cursor.execute(_WHOSE)
        revision, key = cursor.fetchone()
    return Whose(revision, installation_mark(bytes.fromhex(key)))


def _tell(kind: Kind, done: Archived) -> None:
    what = "orders" if kind is TRADING else "entries of the audit"
    click.echo(f"{done.day}: {done.owners} {what}, {done.rows} rows")
