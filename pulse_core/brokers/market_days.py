"""What a broker says of the days and the time of a market: a port of its own, for brokers that say it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class BrokerDay:
    """A day on which a market is open, with its times by the market's own clock."""

    day: date
    opens: time
    closes: time


@runtime_checkable
class TellsMarketDays(Protocol):
    """A broker that has a calendar and a clock. None of its methods retries by itself."""

    market_exchanges: Collection[str]
    """The exchanges of which its calendar tells."""

    def market_days(self, since: date, until: date) -> Sequence[BrokerDay]:
        """Every open day from one date to another, both of them too, in order. Raises BookUnavailable."""

    def market_time(self) -> datetime:
        """The time by the broker's clock, in UTC. Raises BookUnavailable."""
