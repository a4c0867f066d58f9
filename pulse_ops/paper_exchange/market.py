"""Prices as a seeded random walk for each instrument, in paise, in steps of the tick."""

import random
from collections.abc import Mapping
from threading import Lock

from pulse_ops.paper_exchange.checks import TICK

WELL_KNOWN: Mapping[str, int] = {
    "NSE:RELIANCE": 285_000,
    "NSE:INFY": 155_000,
    "NSE:TCS": 340_000,
    "NSE:HDFCBANK": 165_000,
    "NSE:SBIN": 78_000,
    "NSE:ITC": 43_000,
    "NSE:M&M": 295_000,
    "NSE:BAJAJ-AUTO": 890_000,
    "BSE:RELIANCE": 285_000,
    "BSE:INFY": 155_000,
}

_LARGEST_MOVE = 4
_BAND = 0.05


class Market:
    """The last price of each instrument. The same seed and the same steps give the same prices.

    `last_prices` are those at which the walk goes on after a restart.
    """

    def __init__(self, seed: int, last_prices: Mapping[str, int] | None = None) -> None:
        self._seed = seed
        self._lock = Lock()
        self._prices: dict[str, int] = dict(last_prices or {})
        self._random: dict[str, random.Random] = {}

    def price(self, instrument: str) -> int:
        """The last price in paise."""
        with self._lock:
            return self._price(instrument)

    def step(self, instrument: str) -> int:
        """Move the price by at most four ticks, inside 5 % around its start, and return it."""
        with self._lock:
            price = self._price(instrument)
            start = self._start(instrument)
            move = self._moves(instrument).randint(-_LARGEST_MOVE, _LARGEST_MOVE) * TICK
            is_inside = abs(price + move - start) <= start * _BAND
            self._prices[instrument] = price + move if is_inside else price
            return self._prices[instrument]

    def instruments(self) -> list[str]:
        """Every instrument with a price."""
        with self._lock:
            return sorted({*WELL_KNOWN, *self._prices})

    def _price(self, instrument: str) -> int:
        return self._prices.setdefault(instrument, self._start(instrument))

    def _moves(self, instrument: str) -> random.Random:
        # Simulated prices: nothing here has to be hard to guess.
        return self._random.setdefault(instrument, random.Random(f"{self._seed}:{instrument}"))  # noqa: S311

    def _start(self, instrument: str) -> int:
        if instrument in WELL_KNOWN:
            return WELL_KNOWN[instrument]
        return random.Random(instrument).randrange(10_000, 300_000, TICK)  # noqa: S311


def crosses(transaction_type: str, limit: int, price: int) -> bool:
    """Whether a limit order may trade at this price."""
    return price <= limit if transaction_type == "BUY" else price >= limit
