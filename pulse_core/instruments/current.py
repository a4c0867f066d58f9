"""The lists in force, as every order is held to them: looked up without asking Postgres for what this process knows.

A list is never changed: its lines are remembered by its load, as many as are in use. Which load is in force is asked
at most once a second, and again where something is not found.
"""

from functools import cache, lru_cache

from api_contract.kept import Kept
from api_contract.order_rules import NewOrder
from pulse_core import db
from pulse_core.broker_accounts import directory
from pulse_core.config import settings
from pulse_core.instruments import rules
from pulse_core.instruments.listed import Listed
from pulse_core.instruments.store import instruments, loads
from pulse_core.instruments.store.loads import InForce
from pulse_core.markets.files import date_there
from pulse_core.markets.windows import Window

MOST_REMEMBERED = 10_000


def check_order(broker_account: str, new_order: NewOrder) -> Listed | None:
    """Hold an order to the list of its broker; None where none was ever loaded, and nothing is known.

    Not inside a transaction: it may take a connection. Raises NotListedSo, DatabaseUnavailable.
    """
    account = directory.account_named(broker_account)
    broker = broker_account if account is None else account.broker
    listed, in_force = _look_up(broker, new_order.instrument)
    if in_force is None:
        return None
    if listed is None:
        loaded_on = date_there(new_order.instrument, in_force.loaded_at)
        raise rules.not_listed(new_order.instrument, broker, loaded_on.isoformat())
    rules.check_terms(new_order, listed, settings().product_of(broker))
    return listed


def check_window(listed: Listed | None, window: Window) -> None:
    """Hold the window of the order to it, too. Raises InstrumentNotTradable."""
    if listed is not None:
        rules.check_expiry(listed, date_there(listed.instrument, window.end))


def forget() -> None:
    """Ask anew which lists are in force."""
    _in_force.cache_clear()


def _look_up(broker: str, instrument: str) -> tuple[Listed | None, InForce | None]:
    """The line of an instrument, and the list that it is in; None without a line, or without a list."""
    kept = _in_force(broker)
    in_force = kept.get()
    if in_force is None:
        return None, None
    try:
        return _line(in_force.load_id, instrument), in_force
    except _NotListed:
        kept.forget()
    newer = kept.get()
    if newer is None or newer == in_force:
        return None, newer
    try:
        return _line(newer.load_id, instrument), newer
    except _NotListed:
        return None, newer


class _NotListed(LookupError):
    """Not remembered: whoever asks for what is not there must not push out what is."""


@cache
def _in_force(broker: str) -> Kept[InForce | None]:
    def read() -> InForce | None:
        with db.statement() as connection:
            return loads.in_force(connection, broker)

    return Kept(read)


@lru_cache(maxsize=MOST_REMEMBERED)
def _line(load_id: int, instrument: str) -> Listed:
    exchange, _, symbol = instrument.partition(":")
    with db.statement() as connection:
        found = instruments.find(connection, load_id, exchange, symbol)
    if found is None:
        raise _NotListed
    return found
