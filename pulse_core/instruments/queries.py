"""What anybody may know of the instruments of a broker, and operators of the loads of its list."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from api_contract.errors import NotFound
from api_contract.order_rules import INSTRUMENT
from api_contract.vocabulary import InstrumentKind, LoadOutcome, OrderType, Product
from pulse_core import cursors, db
from pulse_core.broker_accounts import directory
from pulse_core.config import settings
from pulse_core.copies import copy_of
from pulse_core.instruments.listed import Listed
from pulse_core.instruments.store import instruments, loads
from pulse_core.instruments.store.instruments import Asked

LISTED_LOADS = 50
_SCOPE = "instruments"


@dataclass(frozen=True)
class InstrumentReport:
    """An instrument as clients see it. A slice has `max_slice_quantity` units at most; None: no cap is known."""

    instrument: str
    exchange: str
    symbol: str
    name: str
    kind: InstrumentKind
    lot_size: int
    tick_size: Decimal
    freeze_quantity: int | None
    max_slice_quantity: int | None
    products: Collection[Product]
    order_types: Collection[OrderType]
    expires_on: str | None


@dataclass(frozen=True)
class InstrumentPage:
    """Instruments by exchange and symbol; `loaded_at` is when their list came, None where there is none."""

    broker: str
    loaded_at: datetime | None
    instruments: Sequence[InstrumentReport]
    next_cursor: str | None


@dataclass(frozen=True)
class LoadReport:
    """A load of a broker's list; the last that is LOADED is in force."""

    id: int
    broker: str
    asked_by: str
    asked_at: datetime
    accepts_smaller: bool
    begun_at: datetime | None
    ended_at: datetime | None
    outcome: LoadOutcome | None
    listed: int | None
    skipped: int | None
    reason: str | None


def broker_of(asked: str | None) -> str:
    """The broker that is asked about, else that of orders that name no account. Raises NotFound."""
    known = directory.accounts_known()
    brokers = {account.broker for account in known.values()}
    if asked is not None and asked not in brokers:
        raise NotFound(f"orders can be placed with {', '.join(sorted(brokers))} only")
    return asked or known[settings().default_broker_account].broker


def instrument_page(broker: str, asked: Asked, limit: int, cursor: str | None = None) -> InstrumentPage:
    """Those whose symbols begin as asked. Raises InvalidRequest for a cursor that Pulse did not give out."""
    beyond = None if cursor is None else _place(cursors.decode(cursor, _SCOPE, re.compile(INSTRUMENT.pattern)))
    with db.statement() as connection:
        in_force = loads.in_force(connection, broker)
    if in_force is None:
        return InstrumentPage(broker, None, (), None)
    with db.transaction() as session:
        asked_on = Asked(asked.prefix, asked.exchange, beyond)
        found = instruments.page(session, in_force.load_id, asked_on, limit + 1)
    shown = [_report(one) for one in found[:limit]]
    next_cursor = cursors.encode(shown[-1].instrument, _SCOPE) if len(found) > limit else None
    return InstrumentPage(broker, in_force.loaded_at, shown, next_cursor)


def instrument_report(broker: str, instrument: str) -> InstrumentReport:
    """One instrument of the list in force. Raises NotFound."""
    found = _found(broker, instrument) if INSTRUMENT.fullmatch(instrument) else None
    if found is None:
        raise NotFound(f"the list of {broker} has no such instrument")
    return _report(found)


def ask_for_load(broker: str, asked_by: str, *, accepts_smaller: bool = False) -> LoadReport:
    """Have a worker load the broker's list now; one that is under way is it."""
    with db.transaction() as session:
        return copy_of(loads.ask(session, broker, asked_by, accepts_smaller=accepts_smaller), LoadReport)


def load_report(load_id: int) -> LoadReport:
    """A load as it stands. Raises NotFound."""
    with db.transaction() as session:
        found = loads.get(session, load_id)
        if found is None:
            raise NotFound(f"there is no load {load_id}")
        return copy_of(found, LoadReport)


def list_loads() -> Sequence[LoadReport]:
    """The latest of all brokers, the newest first."""
    with db.transaction() as session:
        return [copy_of(one, LoadReport) for one in loads.listed(session, LISTED_LOADS)]


def _found(broker: str, instrument: str) -> Listed | None:
    with db.statement() as connection:
        in_force = loads.in_force(connection, broker)
        return None if in_force is None else instruments.find(connection, in_force.load_id, *_place(instrument))


def _place(instrument: str) -> tuple[str, str]:
    exchange, _, symbol = instrument.partition(":")
    return exchange, symbol


def _report(one: Listed) -> InstrumentReport:
    return InstrumentReport(
        instrument=one.instrument,
        exchange=one.exchange,
        symbol=one.symbol,
        name=one.name,
        kind=one.kind,
        lot_size=one.lot_size,
        tick_size=one.tick_size,
        freeze_quantity=one.freeze_quantity,
        max_slice_quantity=one.most_per_order,
        products=sorted(one.products),
        order_types=sorted(one.order_types),
        expires_on=None if one.expires_on is None else one.expires_on.isoformat(),
    )
