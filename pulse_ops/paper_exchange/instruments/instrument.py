"""An instrument, and the numbers that Kite gives it."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

INDICES = "INDICES"

# Kite's token is the exchange's own times 256, and the number of the segment.
SEGMENTS: Mapping[str, int] = {"NSE": 1, "NFO": 2, "CDS": 3, "BSE": 4, "BFO": 5, "MCX": 7, INDICES: 9}
_FIRST_MADE_UP, _MADE_UP = 1_000_000, 7_000_000


@dataclass(frozen=True)
class Instrument:
    """One line of the list. Prices and ticks are paise; `price` is that of its first day.

    A quantity above `freeze_quantity` is frozen; None where the list names none.
    """

    exchange: str
    tradingsymbol: str
    name: str
    exchange_token: int
    price: int
    tick: int
    lot_size: int
    instrument_type: str
    segment: str
    expiry: date | None = None
    strike: int = 0
    freeze_quantity: int | None = None

    @property
    def key(self) -> str:
        """Its name in requests, such as NSE:INFY."""
        return f"{self.exchange}:{self.tradingsymbol}"

    @property
    def instrument_token(self) -> int:
        return self.exchange_token * 256 + SEGMENTS[INDICES if self.is_index else self.exchange]

    @property
    def is_index(self) -> bool:
        """An index has a price, and is not traded."""
        return self.segment == INDICES

    @property
    def is_derivative(self) -> bool:
        return self.expiry is not None


def made_up_token(key: str) -> int:
    """The exchange's token for what has none in our lists, the same in every process."""
    return _FIRST_MADE_UP + zlib.crc32(key.encode()) % _MADE_UP


def paise(rupees: str) -> int:
    """A price as our lists have it."""
    return int(Decimal(rupees) * 100)
