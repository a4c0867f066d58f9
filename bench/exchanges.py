"""Several paper exchanges in one process and at one address, as one broker has many accounts.

`python -m bench.exchanges --folder FOLDER --port PORT --accounts N`: each account has a ledger of its own, and is found
by the API key of a request, as at Kite.
"""

import io
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import click

from bench.day_book import fill_day_book
from bench.desks import KeysOf, keys_of, ledger_of, names_of
from pulse_ops.paper_exchange.app import create_app
from pulse_ops.paper_exchange.context import Desk
from pulse_ops.paper_exchange.entry import Entry
from pulse_ops.paper_exchange.exchange import Exchange
from pulse_ops.paper_exchange.faults import Faults, Scenario
from pulse_ops.paper_exchange.instruments.listing import listed
from pulse_ops.paper_exchange.log import setup_logging
from pulse_ops.paper_exchange.logins.logins import App, Logins
from pulse_ops.paper_exchange.market import Market
from pulse_ops.paper_exchange.postbacks import Postbacks
from pulse_ops.paper_exchange.server import Server
from pulse_ops.paper_exchange.store import Books
from pulse_ops.paper_exchange.user.account import Account
from pulse_ops.stack.config import LOOPBACK

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Where a person's browser is sent with a request token; nobody listens there.
_REDIRECT_URL = "http://127.0.0.1:9/"


class ByApiKey:
    """Hands each request to the application of its account; without a key, to the first one."""

    def __init__(self, applications: Mapping[str, "WSGIApplication"]) -> None:
        self._applications = applications
        self._first = next(iter(applications.values()))

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self._applications.get(api_key(environ), self._first)(environ, start_response)


def api_key(environ: "WSGIEnvironment") -> str:
    """The API key of a request to Kite: of its token, else of its query, else of its form; may be empty."""
    scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme == "token":
        return str(credentials.partition(":")[0])
    stated = parse_qs(environ.get("QUERY_STRING", "")).get("api_key")
    if not stated and environ["REQUEST_METHOD"] == "POST":
        body: bytes = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        stated = parse_qs(body.decode("latin-1")).get("api_key")
    return stated[0] if stated else ""


@click.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), required=True)
@click.option("--port", type=click.IntRange(1, 65535), required=True)
@click.option("--accounts", type=click.IntRange(1), required=True)
@click.option("--rows", type=click.IntRange(0), default=0, help="Orders of today in the book of each, at first.")
@click.option("--postback-url", required=True)
def main(folder: Path, port: int, accounts: int, rows: int, postback_url: str) -> None:
    """Serve so many accounts, without limits, until SIGTERM."""
    setup_logging("json")
    exchanges = {keys.api_key: _exchange(folder, name, keys, rows, postback_url) for name, keys in _all_keys(accounts)}
    apps = {keys.api_key: _app(exchanges[keys.api_key], keys) for _name, keys in _all_keys(accounts)}
    server = Server(LOOPBACK, port, ByApiKey(apps))
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: sys.exit(0))
    for exchange in exchanges.values():
        exchange.start()
    try:
        server.serve_forever()
    finally:
        for exchange in exchanges.values():
            exchange.close()


def _all_keys(accounts: int) -> list[tuple[str, KeysOf]]:
    return [(name, keys_of(name)) for name in names_of(accounts)]


def _exchange(folder: Path, name: str, keys: KeysOf, rows: int, postback_url: str) -> Exchange:
    path = ledger_of(folder, name)
    _number_apart(path, name)
    fill_day_book(path, rows)
    books = Books(path)
    market = Market(1, books.last_prices(), lambda key: listed(books.today(books.now())).get(key))
    entry = Entry(books, market, Account(books), is_strict=False, has_hours=False)
    return Exchange(books, market, Faults(Scenario()), Postbacks(postback_url, keys.api_secret), entry)


def _number_apart(path: Path, name: str) -> None:
    """No two accounts of a broker have orders of the same number; ledgers that begin in one second would."""
    books = Books(path)
    books.set_note("born", f"{int(name.rpartition('-')[2]):05d}")
    books.close()


def _app(exchange: Exchange, keys: KeysOf) -> Any:
    app = App(keys.api_key, keys.api_secret, keys.api_secret, _REDIRECT_URL)
    return create_app(Desk(exchange, None, Logins(exchange.books, app, is_standing=False)))


if __name__ == "__main__":
    main()
