"""`pulse verify`: does the database say what the broker says, and was every promise kept."""

import json
import os
from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import psycopg2
import requests

from api_contract.secret_files import secret_of, set_variables
from api_contract.variables import names_of, value_of
from pulse_core.broker_accounts import directory
from pulse_core.broker_accounts.reach import credentials_of
from pulse_core.config import settings
from pulse_core.postgres.urls import libpq_url
from pulse_ops import verify as judge
from pulse_ops.archive.files import Damaged
from pulse_ops.cli import EXIT_FAILURE, options
from pulse_ops.cli.old_names import warn_of_old_names
from pulse_ops.stack import running
from pulse_ops.stack.errors import NotRunning, StackError
from pulse_ops.verify import alpaca_records, broker_records, database
from pulse_ops.verify.archived import with_archive
from pulse_ops.verify.facts import BrokerBooks, Facts
from pulse_ops.verify.violation import Violation


def _seconds_or_never(_context: click.Context, _option: click.Parameter, value: str) -> timedelta | None:
    if value == "never":
        return None
    try:
        return timedelta(seconds=float(value))
    except ValueError:
        raise click.BadParameter("seconds, or never") from None


@click.command()
@options.data_dir
@options.as_json
@click.option("--broker-account", metavar="NAME", help="Whose orders and books. Default: that of the installation.")
@click.option("--final", "is_final", is_flag=True, help="Require that everything has ended and nothing is on its way.")
@click.option("--grace", default=60.0, show_default=True, help="Seconds that changes may take to reach the database.")
@click.option(
    "--ledger",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="SQLite ledger of a paper exchange that is not running.",
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of `pulse archive`: judge the orders in it, too.",
)
@click.option(
    "--settle-delay",
    envvar=names_of("settle_delay"),
    default="60",
    show_default=True,
    callback=_seconds_or_never,
    help="Seconds for which the book had to lack an order before it counted as not placed, or never.",
)
def verify(
    data_dir: Path | None,
    is_json: bool,
    broker_account: str | None,
    is_final: bool,
    grace: float,
    ledger: Path | None,
    archive: Path | None,
    settle_delay: timedelta | None,
) -> None:
    """Compare the database with the books of a broker account; exit 1 if a promise was broken.

    For the paper exchange, its whole ledger is used; for Zerodha, today's order and trade book. docs/reliability.md
    explains each promise.
    """
    warn_of_old_names()
    facts = _facts(data_dir, broker_account, ledger, archive, is_final, timedelta(seconds=grace), settle_delay)
    broken = judge.broken_promises(facts)
    if is_json:
        click.echo(json.dumps(_summary(facts, broken)))
    else:
        _show(facts, broken)
    if broken:
        raise SystemExit(EXIT_FAILURE)


def _facts(
    data_dir: Path | None,
    asked: str | None,
    ledger: Path | None,
    archive: Path | None,
    is_final: bool,
    grace: timedelta,
    settle_delay: timedelta | None,
) -> Facts:
    _connect_to_stack(data_dir)
    url, name = secret_of("DATABASE_URL"), asked or _default_account()
    if not url:
        raise NotRunning("No stack runs there and DATABASE_URL is not set: start one, or set it.")
    try:
        # The database first: what it knows, the books must know.
        found = database.read(libpq_url(url), name)
        found = found if archive is None else with_archive(found, archive, name)
        return Facts(found, _books(name, ledger, archive), is_final, grace, settle_delay)
    except Damaged as error:
        raise StackError(f"{error}.") from error
    except psycopg2.Error as error:
        raise StackError(f"The database cannot be read ({str(error).strip()}): see `pulse doctor`.") from error
    except (requests.RequestException, KeyError, TypeError, ValueError) as error:
        raise StackError(f"The broker's books cannot be read ({error}): see `pulse doctor`.") from error


def _default_account() -> str:
    return os.environ.get("PULSE_BROKER_ACCOUNT") or value_of("PULSE_BROKER", "paper")


def _connect_to_stack(data_dir: Path | None) -> None:
    try:
        stack = running.find(options.stack_settings(data_dir=data_dir).data_dir)
    except NotRunning:
        return
    set_variables(stack.environment)


def _books(broker_account: str, ledger: Path | None, archive: Path | None) -> BrokerBooks:
    """Of an archive what a paper exchange showed: a real broker's books are not in it."""
    if broker_account == "paper":
        url = value_of("PULSE_PAPER_EXCHANGE_URL", "http://127.0.0.1:8002")
        books = broker_records.from_ledger(ledger) if ledger else broker_records.from_exchange(url)
        return books if archive is None else broker_records.with_archive(books, archive)
    account = directory.account_named(broker_account)
    is_alpaca = account is not None and account.broker == "alpaca"
    if ledger is not None:
        of_kite = broker_records.from_ledger, broker_records.with_archive
        of_alpaca = alpaca_records.from_ledger, alpaca_records.with_archive
        read, with_old = of_alpaca if is_alpaca else of_kite
        return read(ledger) if archive is None else with_old(read(ledger), archive)
    found = None if account is None else credentials_of(account)
    if found is None:
        raise StackError(f"The broker account {broker_account} cannot be reached from here: see `pulse broker list`.")
    if is_alpaca:
        return alpaca_records.from_alpaca(settings().alpaca_root_url, found.api_key, found.api_secret)
    return broker_records.from_kite(settings().kite_root_url, found.api_key, found.access_token)


def _summary(facts: Facts, broken: list[Violation]) -> dict[str, Any]:
    return {
        "orders": len(facts.database.orders),
        "slices": len(facts.database.slices),
        "fills": len(facts.database.fills),
        "broker_orders": len(facts.books.orders),
        "violations_by_promise": dict.fromkeys(judge.names(), 0) | Counter(one.promise for one in broken),
        "violations": [asdict(one) for one in broken],
    }


def _show(facts: Facts, broken: list[Violation]) -> None:
    for one in broken:
        about = " ".join(filter(None, (one.order_id, one.slice_id)))
        click.echo(f"{one.promise}: {about}\n    expected {one.expected}\n    found    {one.found}")
    orders, slices, fills = len(facts.database.orders), len(facts.database.slices), len(facts.database.fills)
    click.echo(
        f"{orders} orders, {slices} slices, {fills} fills: {len(broken)} violations of {len(judge.names())} promises"
    )
