"""`pulse markets instruments`, `load` and `loads`: what can be traded, and the loads of brokers' lists."""

import getpass
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from api_contract.vocabulary import LoadOutcome
from pulse_core.instruments import queries
from pulse_core.instruments.queries import InstrumentPage, InstrumentReport, LoadReport
from pulse_core.instruments.store.instruments import Asked
from pulse_ops.cli import EXIT_CODES, EXIT_FAILURE, options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import instant, print_json, print_table, say

INTERVAL_SECONDS = 0.5
MOST = 200
_broker = click.option("--broker", help="Default: that of orders that name no broker account.")


@click.command("instruments")
@click.argument("query", default="")
@click.option("--exchange", help="On this exchange only.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@_broker
@options.as_json
@options.data_dir
def instruments(
    query: str, exchange: str | None, limit: int, broker: str | None, is_json: bool, data_dir: Path | None
) -> None:
    """List what can be traded: symbols that begin with QUERY, with their lots, ticks and caps."""
    use_database(data_dir)
    broker = queries.broker_of(broker)
    found = list(_found(broker, Asked(query.upper(), exchange), limit))
    if is_json:
        print_json([asdict(one) for one in found])
        return
    columns = ("Instrument", "Name", "Kind", "Lot", "Tick", "Most", "Products", "Expires")
    print_table(columns, (_row(one) for one in found))
    if not found and queries.instrument_page(broker, Asked(), 1).loaded_at is None:
        say(f"No list of {broker} was ever loaded: orders are taken for any instrument. See `pulse markets load`.")


@click.command("load")
@_broker
@click.option("--accept-smaller", is_flag=True, help="Take the list even if it has shrunk by more than a tenth.")
@click.option("--wait", type=click.FloatRange(0), default=120, show_default=True, help="Seconds until it must be done.")
@options.data_dir
def load(broker: str | None, accept_smaller: bool, wait: float, data_dir: Path | None) -> None:
    """Have the control worker load the broker's list of instruments now, and say what came of it."""
    use_database(data_dir)
    broker = queries.broker_of(broker)
    asked_by = f"{getpass.getuser()} (command line)"
    asked = queries.ask_for_load(broker, asked_by, accepts_smaller=accept_smaller)
    ended = _awaited(asked.id, wait)
    if ended is None:
        say(f"Not loaded within {wait:g} s; the control worker goes on. See `pulse markets loads`.")
        raise SystemExit(EXIT_FAILURE)
    if ended.outcome is not LoadOutcome.LOADED:
        say(f"{ended.outcome}: {ended.reason}. The list of before stays in force.")
        raise SystemExit(EXIT_FAILURE)
    say(f"{ended.listed} instruments of {broker} are in force; {ended.skipped} lines could not be read.")


@click.command("loads", epilog=EXIT_CODES)
@options.as_json
@options.data_dir
def loads(is_json: bool, data_dir: Path | None) -> None:
    """List the latest loads of brokers' lists, the newest first."""
    use_database(data_dir)
    found = queries.list_loads()
    if is_json:
        print_json([asdict(one) for one in found])
        return
    columns = ("Load", "Broker", "Asked by", "Asked at", "Ended at", "Outcome", "Listed", "Skipped", "Reason")
    print_table(columns, (_load_row(one) for one in found))


def _found(broker: str, asked: Asked, limit: int) -> Iterator[InstrumentReport]:
    cursor, left = None, limit
    while left > 0:
        page: InstrumentPage = queries.instrument_page(broker, asked, min(left, MOST), cursor)
        yield from page.instruments
        left, cursor = left - len(page.instruments), page.next_cursor
        if cursor is None:
            return


def _awaited(load_id: int, seconds: float) -> LoadReport | None:
    until = time.monotonic() + seconds
    while (report := queries.load_report(load_id)).ended_at is None:
        if time.monotonic() >= until:
            return None
        time.sleep(INTERVAL_SECONDS)
    return report


def _row(one: InstrumentReport) -> tuple[object, ...]:
    products = ", ".join(one.products)
    most = one.max_slice_quantity
    return one.instrument, one.name, one.kind, one.lot_size, f"{one.tick_size:f}", most, products, one.expires_on


def _load_row(one: LoadReport) -> tuple[object, ...]:
    ended, asked = instant(one.ended_at), instant(one.asked_at)
    return one.id, one.broker, one.asked_by, asked, ended, one.outcome, one.listed, one.skipped, one.reason
