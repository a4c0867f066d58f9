"""How much one order may have: what no broker's list says, from the dated files that come with this release."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

import yaml

from api_contract.vocabulary import InstrumentKind, OrderType
from pulse_core.brokers.instruments import BrokerInstrument
from pulse_core.instruments.listed import Listed

_KEYS = {
    "brokers",
    "dated",
    "valid_until",
    "source",
    "max_quantity",
    "freeze_quantities",
    "stock_options_limit_only",
}
_OPTIONS = frozenset({InstrumentKind.CALL, InstrumentKind.PUT})


@dataclass(frozen=True)
class OrderCaps:
    """What is known of a broker's orders. `freeze` is by exchange and what lies under a derivative: an index."""

    brokers: Collection[str]
    dated: date
    valid_until: date
    source: str
    max_quantity: int
    freeze: Mapping[str, Mapping[str, int]]
    limit_only: Collection[str]

    def with_freeze(self, stated: Collection[str]) -> "OrderCaps":
        """With what an operator states of some, like `NFO:NIFTY=1800`, in place of what the file says of them."""
        freeze = {exchange: dict(names) for exchange, names in self.freeze.items()}
        for one in stated:
            instrument, _, quantity = one.partition("=")
            exchange, _, name = instrument.partition(":")
            freeze.setdefault(exchange, {})[name] = int(quantity)
        return replace(self, freeze=freeze)

    def listed(self, one: BrokerInstrument) -> Listed:
        """What the broker lists, with the caps of it."""
        indices = self.freeze.get(one.exchange, {})
        is_stock_option = one.kind in _OPTIONS and one.exchange in self.limit_only and one.name not in indices
        return replace(
            uncapped(one),
            freeze_quantity=None if one.kind is InstrumentKind.EQUITY else indices.get(one.name),
            max_quantity=self.max_quantity,
            order_types=(OrderType.LIMIT,) if is_stock_option else tuple(OrderType),
        )


def uncapped(one: BrokerInstrument) -> Listed:
    """What a broker lists of whose caps nothing is known."""
    return Listed(
        exchange=one.exchange,
        symbol=one.symbol,
        token=one.token,
        name=one.name,
        kind=one.kind,
        lot_size=one.lot_size,
        tick_size=one.tick_size,
        freeze_quantity=None,
        max_quantity=None,
        products=tuple(one.products),
        order_types=tuple(OrderType),
        expires_on=one.expires_on,
    )


@cache
def caps_of(broker: str) -> OrderCaps | None:
    """The caps of a broker; None where there is no file. Raises ValueError for a file that is not as it must be."""
    found = [caps for caps in map(read, _texts()) if broker in caps.brokers]
    if len(found) > 1:
        raise ValueError(f"two files state the caps of {broker}")
    return found[0] if found else None


def read(text: str) -> OrderCaps:
    """The caps that a file states. Raises ValueError with what is wrong with it."""
    stated = yaml.safe_load(text)
    if not isinstance(stated, dict) or stated.keys() != _KEYS:
        raise ValueError(f"caps state {', '.join(sorted(_KEYS))}, and nothing else")
    freeze = {exchange: _quantities(names) for exchange, names in stated["freeze_quantities"].items()}
    return OrderCaps(
        brokers=frozenset(stated["brokers"]),
        dated=stated["dated"],
        valid_until=stated["valid_until"],
        source=stated["source"],
        max_quantity=_quantity(stated["max_quantity"]),
        freeze=freeze,
        limit_only=frozenset(stated["stock_options_limit_only"]),
    )


def _quantities(stated: Mapping[str, Any]) -> Mapping[str, int]:
    return {name: _quantity(quantity) for name, quantity in stated.items()}


def _quantity(stated: Any) -> int:
    if not isinstance(stated, int) or isinstance(stated, bool) or stated < 1:
        raise ValueError("a quantity is a whole number from 1 on")
    return stated


def _texts() -> list[str]:
    folder = resources.files(__package__) / "caps"
    return [one.read_text("utf-8") for one in sorted(folder.iterdir(), key=lambda one: one.name)]
