"""What orders need and cost, and what an account has: a port of its own, for brokers that say it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, runtime_checkable

from pulse_core.brokers.port import BrokerError, Placement


class NotTold(BrokerError):
    """What a broker does not say, or did not say in time: in the place of a figure, which is never guessed."""


@dataclass(frozen=True)
class Charges:
    """Taxes, fees and the broker's share, in the currency of the account; `parts` by the broker's names for them."""

    total: Decimal
    parts: Mapping[str, Decimal]


@dataclass(frozen=True)
class Costs:
    """What orders need and cost, each by itself and then added up: the margin that they block, and their charges."""

    margin: Decimal | NotTold
    charges: Charges | NotTold


@runtime_checkable
class TellsMoney(Protocol):
    """A broker that can be asked. Every method reads, ends within `seconds`, and raises NotTold.

    How often they ask is bounded for each process: who asks too often is not told.
    """

    def costs(self, placements: Sequence[Placement], seconds: float) -> Sequence[Costs]:
        """Of each of these orders, none of which is placed. The ids of the placements do not matter."""

    def funds(self, seconds: float) -> Decimal:
        """What is free for another order."""

    def holdings(self, instruments: Sequence[str], seconds: float) -> Mapping[str, int]:
        """How many shares of each the account has and can sell, those in open orders among them."""
