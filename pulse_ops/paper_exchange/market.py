"""Prices as a seeded random walk for each instrument, in paise, in steps of its tick."""

import random
from collections.abc import Callable, Mapping
from threading import Lock

from pulse_ops.paper_exchange.instruments.instrument import Instrument
from pulse_ops.paper_exchange.instruments.listing import cash

_LARGEST_MOVE = 4
_BAND = 0.05
# Of an instrument that is in no list.
_TICK = 5

Find = Callable[[str], Instrument | None]


class Market:
    """The last price of each instrument. The same seed and the same steps give the same prices.

    `last_prices` are those at which the walk goes on after a restart.
    """

    def __init__(self, seed: int, last_prices: Mapping[str, int] | None = None, find: Find | None = None) -> None:
        self._seed = seed
        self._find = find or cash().get
        self._ranges: dict[str, tuple[int, int]] = {}
        self._starts: dict[str, tuple[int, int]] = {}
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
            start, tick = self._start(instrument)
            move = self._moves(instrument).randint(-_LARGEST_MOVE, _LARGEST_MOVE) * tick
            is_inside = price + move > 0 and abs(price + move - start) <= start * _BAND
            self._prices[instrument] = price = price + move if is_inside else price
            low, high = self._ranges.get(instrument, (start, start))
            if not low <= price <= high:
                self._ranges[instrument] = (min(low, price), max(high, price))
            return price

    def range(self, instrument: str) -> tuple[int, int]:
        """The lowest and the highest price since the exchange was opened."""
        with self._lock:
            start = self._start(instrument)[0]
            price = self._price(instrument)
            low, high = self._ranges.get(instrument, (start, start))
            return min(low, price), max(high, price)

    def set_price(self, instrument: str, price: int) -> None:
        """Let the walk go on from this price, in paise."""
        with self._lock:
            self._prices[instrument] = price

    def tick(self, instrument: str) -> int:
        """The step of its prices, in paise."""
        with self._lock:
            return self._start(instrument)[1]

    def _price(self, instrument: str) -> int:
        return self._prices.setdefault(instrument, self._start(instrument)[0])

    def _moves(self, instrument: str) -> random.Random:
        # Simulated prices: nothing here has to be hard to guess.
        return self._random.setdefault(instrument, random.Random(f"{self._seed}:{instrument}"))  # noqa: S311

    def _start(self, instrument: str) -> tuple[int, int]:
        if instrument not in self._starts:
            found = self._find(instrument)
            self._starts[instrument] = (found.price, found.tick) if found else (_made_up(instrument), _TICK)
        return self._starts[instrument]


def _made_up(instrument: str) -> int:
    return random.Random(instrument).randrange(10_000, 300_000, _TICK)  # noqa: S311


def crosses(transaction_type: str, limit: int, price: int) -> bool:
    """Whether a limit order may trade at this price."""
    return price <= limit if transaction_type == "BUY" else price >= limit
