"""Prices that a test states."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from pulse_core.brokers import quotes
from pulse_core.brokers.port import Level, Quote, QuotesUnavailable


@dataclass
class StatedPrices:
    """Tells what it was given, at any time; what is not among it, the broker does not know."""

    quotes: dict[str, Quote] = field(default_factory=dict)
    is_down: bool = False
    seconds_between_quotes: float = 0.0
    most_quotes: int = 500
    calls: int = 0

    def state(self, instrument: str, price: str, volume: int | None = None) -> None:
        """From now on it stands there, with a level a tick away on each side."""
        last = Decimal(price)
        tick = Decimal("0.05")
        quote = Quote(last, (Level(last - tick, 100),), (Level(last + tick, 200),), volume)
        quotes.forget()
        self.quotes = {**self.quotes, instrument: quote}

    def quote(self, instruments: Collection[str]) -> Mapping[str, Quote]:
        self.calls += 1
        if self.is_down:
            raise QuotesUnavailable("NETWORK", "nobody answers")
        return {one: self.quotes[one] for one in instruments if one in self.quotes}
