"""Brokers that list instruments, and lists as Kite writes them."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from api_contract.vocabulary import InstrumentKind, LoadOutcome, Product
from pulse_core import db
from pulse_core.brokers.instruments import BrokerInstrument, Listing, ListUnavailable
from pulse_core.instruments import order_caps
from pulse_core.instruments.store import instruments, loads
from tests.support.broker import SimulatedBroker

OF_EQUITIES, OF_DERIVATIVES = (Product.CNC, Product.MIS), (Product.MIS, Product.NRML)
COLUMNS = (
    b"instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    b"segment,exchange\n"
)


def a_share(symbol: str = "RELIANCE", **changes: Any) -> BrokerInstrument:
    stated: dict[str, Any] = {
        "exchange": "NSE",
        "symbol": symbol,
        "token": "738561",
        "name": "RELIANCE INDUSTRIES",
        "kind": InstrumentKind.EQUITY,
        "lot_size": 1,
        "tick_size": Decimal("0.05"),
        "expires_on": None,
        "products": OF_EQUITIES,
    }
    return BrokerInstrument(**{**stated, **changes})


def a_future(symbol: str = "NIFTY26DECFUT", **changes: Any) -> BrokerInstrument:
    stated: dict[str, Any] = {
        "exchange": "NFO",
        "name": "NIFTY",
        "kind": InstrumentKind.FUTURE,
        "lot_size": 65,
        "tick_size": Decimal("0.1"),
        "expires_on": date(2026, 12, 29),
        "products": OF_DERIVATIVES,
    }
    return a_share(symbol, **{**stated, **changes})


def shares(count: int, exchange: str = "NSE") -> list[BrokerInstrument]:
    return [a_share(f"S{number:04d}", exchange=exchange) for number in range(count)]


@dataclass
class ListingBroker(SimulatedBroker):
    """Lists what it has; `trouble` is what happens in place of that."""

    listed: list[BrokerInstrument] = field(default_factory=list)
    skipped: int = 0
    trouble: Exception | None = None
    asked: list[Collection[str]] = field(default_factory=list)

    def instruments(self, exchanges: Collection[str]) -> Listing:
        self.asked.append(exchanges)
        if self.trouble is not None:
            raise self.trouble
        return Listing(self.listed, self.skipped)


def cut_off() -> ListUnavailable:
    return ListUnavailable("TRUNCATED", "the list of NSE breaks off in line 7")


@contextmanager
def in_force(listed: Collection[BrokerInstrument], broker: str = "paper") -> Iterator[None]:
    """A list that is in force meanwhile, in a database that others go on with."""
    with db.transaction() as session:
        asked = loads.ask(session, broker, "test", accepts_smaller=False)
    with db.statement() as connection:
        begun = loads.begin(connection, broker, "test", timedelta(minutes=1))
    assert begun is not None
    with db.transaction() as session:
        instruments.add(session, begun.id, broker, map(order_caps.uncapped, listed))
        loads.end(session, begun, LoadOutcome.LOADED, len(listed), 0)
    try:
        yield
    finally:
        with db.transaction() as session:
            session.execute(text("UPDATE instrument_loads SET outcome = 'FAILED' WHERE id = :id"), {"id": asked.id})
