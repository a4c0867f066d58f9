"""What a broker lists as tradable: a port of its own, for brokers that say it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol, runtime_checkable

from api_contract.vocabulary import InstrumentKind, Product
from pulse_core.brokers.port import BrokerError


@dataclass(frozen=True, slots=True)
class BrokerInstrument:
    """One line of the broker's list. `name` is that of the company, of a derivative that of what lies under it.

    Quantities are whole lots, prices whole ticks. `expires_on` is the last day of a contract.
    """

    exchange: str
    symbol: str
    token: str
    name: str
    kind: InstrumentKind
    lot_size: int
    tick_size: Decimal
    expires_on: date | None
    products: Collection[Product]


@dataclass(frozen=True)
class Listing:
    """All that was listed of some exchanges; `skipped` lines could not be read."""

    instruments: Sequence[BrokerInstrument]
    skipped: int


class ListUnavailable(BrokerError):
    """The list could not be read as a whole: not reached, cut off, or not as it must be."""


@runtime_checkable
class ListsInstruments(Protocol):
    """A broker that tells what can be traded."""

    def instruments(self, exchanges: Collection[str]) -> Listing:
        """The whole list of these exchanges. Raises ListUnavailable rather than leave out a part of it."""
