"""An instrument as orders are held to it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from api_contract.vocabulary import InstrumentKind, OrderType, Product


@dataclass(frozen=True, slots=True)
class Listed:
    """What a broker lists, with the caps that are known of it. Quantities are units, `tick_size` a price.

    One order at the broker may have `freeze_quantity` by its exchange and `max_quantity` by its broker at most.
    """

    exchange: str
    symbol: str
    token: str
    name: str
    kind: InstrumentKind
    lot_size: int
    tick_size: Decimal
    freeze_quantity: int | None
    max_quantity: int | None
    products: Collection[Product]
    order_types: Collection[OrderType]
    expires_on: date | None

    @property
    def instrument(self) -> str:
        """As orders name it."""
        return f"{self.exchange}:{self.symbol}"

    @property
    def most_per_order(self) -> int | None:
        """In whole lots; None: there is no cap. A cap below a lot lets nothing through."""
        caps = [cap for cap in (self.freeze_quantity, self.max_quantity) if cap is not None]
        return min(caps) // self.lot_size * self.lot_size if caps else None
