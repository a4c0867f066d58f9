"""Run the paper exchange: `python -m pulse_ops.paper_exchange --ledger exchange.sqlite`."""

import signal
import sqlite3
import sys
from datetime import datetime
from pathlib import Path

import click
from flask import Flask
from pydantic import ValidationError

from pulse_ops.paper_exchange.alpaca import app as alpaca
from pulse_ops.paper_exchange.app import create_app
from pulse_ops.paper_exchange.context import Desk
from pulse_ops.paper_exchange.entry import Entry
from pulse_ops.paper_exchange.exchange import Exchange
from pulse_ops.paper_exchange.faults import Faults, Scenario
from pulse_ops.paper_exchange.instruments.listing import listed
from pulse_ops.paper_exchange.limits import Limits
from pulse_ops.paper_exchange.log import service_log, setup_logging
from pulse_ops.paper_exchange.logins.logins import App, Logins
from pulse_ops.paper_exchange.market import Market
from pulse_ops.paper_exchange.postbacks import Postbacks
from pulse_ops.paper_exchange.server import Server
from pulse_ops.paper_exchange.store import Books
from pulse_ops.paper_exchange.user.account import Account
from pulse_ops.paper_exchange.variables import Secret, SetByVariables, ours

log = service_log()


@click.command(cls=SetByVariables, context_settings={"show_default": True})
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=8002, type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option(
    "--host-names",
    default="",
    show_default=False,
    help="Names by which it may be reached beside the address, separated by commas.",
)
@click.option("--ledger", type=click.Path(path_type=Path, dir_okay=False), required=True, help="SQLite file.")
@click.option(
    "--day-starts",
    type=click.DateTime(["%H:%M", "%H:%M:%S"]),
    default="00:00",
    help="When a day begins, by India's clock. Set it for the exchange and for Pulse alike.",
)
@click.option("--seed", default=1, help="Seed of the prices.")
@click.option("--wire", type=click.Choice(["kite", "alpaca"]), default="kite", help="Whose protocol it speaks.")
@click.option(
    "--strict/--no-strict",
    default=True,
    help="Refuse what Kite refuses: unknown symbols, odd lots, prices off the tick, too much at once.",
)
@click.option(
    "--session",
    type=click.Choice(["always", "market"]),
    default="always",
    help="When it takes orders: always, or in the hours of the market.",
)
@click.option("--limits/--no-limits", default=True, help="Kite's rate limits.")
@click.option("--orders-per-second", default=10, help="Kite's limit on calls that write.")
@click.option("--orders-per-minute", default=400, help="The same for a minute.")
@click.option("--orders-per-day", default=5000, help="The same for a day.")
@click.option("--calls-per-minute", default=200, help="Alpaca's limit on calls of any kind.")
@click.option("--scenario", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Faults, as JSON.")
@click.option("--postback-url", help="Where news about orders is posted.")
@click.option("--api-key", cls=Secret, envvar="KITE_API_KEY", default="paper", show_default=False, help="Key it takes.")
@click.option(
    "--access-token",
    cls=Secret,
    envvar="KITE_ACCESS_TOKEN",
    default="paper",
    show_default=False,
    help="Token it takes.",
)
@click.option(
    "--api-secret",
    cls=Secret,
    envvar="KITE_API_SECRET",
    default="paper",
    show_default=False,
    help="Signs logins, postbacks.",
)
@click.option(
    "--standing-token/--no-standing-token", default=True, help="Whether the access token works without a login."
)
@click.option("--redirect-url", help="Where its login page sends a person, with a request token.")
@click.option("--log-format", envvar=ours("LOG_FORMAT"), default="auto", type=click.Choice(["auto", "json", "console"]))
def main(
    host: str,
    port: int,
    host_names: str,
    ledger: Path,
    day_starts: datetime,
    seed: int,
    wire: str,
    strict: bool,
    session: str,
    limits: bool,
    orders_per_second: int,
    orders_per_minute: int,
    orders_per_day: int,
    calls_per_minute: int,
    scenario: Path | None,
    postback_url: str | None,
    api_key: str,
    access_token: str,
    api_secret: str,
    standing_token: bool,
    redirect_url: str | None,
    log_format: str,
) -> None:
    """The paper exchange: a simulated Zerodha with a ledger of its own. Prints its URL when it is open."""
    setup_logging(log_format)
    if old_names := main.old_names_set():
        log.warning("settings had old names", variables=old_names)
    books = _books(ledger, day_starts)
    market = Market(seed, books.last_prices(), lambda key: listed(books.today(books.now())).get(key))
    books.set_note("wire", wire)
    entry = Entry(books, market, Account(books), is_strict=strict and wire == "kite", has_hours=session == "market")
    exchange = Exchange(books, market, Faults(_scenario(books, scenario)), Postbacks(postback_url, api_secret), entry)
    most = (orders_per_second, orders_per_minute, orders_per_day)
    counted = Limits(books.writes_today(books.now()), books.now() / 1_000_000, most) if limits else None
    app = App(api_key, api_secret, access_token, redirect_url or None)
    desk = Desk(exchange, counted, Logins(books, app, is_standing=standing_token))
    names = [name.strip() for name in host_names.split(",") if name.strip()]
    served = create_app(desk) if wire == "kite" else alpaca.create_app(desk, api_key, api_secret, calls_per_minute)
    _serve(exchange, host, port, names, served)


def _serve(exchange: Exchange, host: str, port: int, names: list[str], app: Flask) -> None:
    try:
        server = Server(host, port, app, names)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from None
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: sys.exit(0))
    exchange.start()
    log.info("exchange opened", url=server.url, ledger=str(exchange.books.path))
    click.echo(server.url)
    try:
        server.serve_forever()
    finally:
        exchange.close()


def _books(ledger: Path, day_starts: datetime) -> Books:
    try:
        return Books(ledger, day_starts.time())
    except (OSError, sqlite3.DatabaseError) as error:
        raise click.ClickException(f"cannot open the ledger {ledger}: {error}") from None


def _scenario(books: Books, path: Path | None) -> Scenario:
    # A file counts once: after a restart the scenario goes on where it stood, with what is left of its counts.
    text = path.read_text() if path else None
    if text is not None and text != books.note("scenario_file"):
        try:
            scenario = Scenario.model_validate_json(text)
        except ValidationError as error:
            raise click.ClickException(f"{path}: {error}") from None
        books.set_note("scenario_file", text)
        books.set_note("scenario", scenario.model_dump_json())
        return scenario
    stored = books.note("scenario")
    return Scenario.model_validate_json(stored) if stored else Scenario()


if __name__ == "__main__":
    main()
