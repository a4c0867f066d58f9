"""What a client may ask for, and the limits it must keep to (the contract's table of fields)."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from pulse_core.domain.enums import Side
from pulse_core.domain.errors import InvalidInstrument, InvalidQuantity, InvalidRequest, InvalidSplitConfig

UNIQUE_KEY = re.compile(r"[\x20-\x7e]{1,64}")
INSTRUMENT = re.compile(r"(?P<exchange>[A-Z]{1,16}):(?P<symbol>[A-Z0-9&-]{1,32})")
MAX_QUANTITY = 10**9
MIN_SPLITS, MAX_SPLITS = 2, 100
MIN_MINUTES, MAX_MINUTES = 1, 1440


@dataclass(frozen=True)
class NewOrder:
    """An order as the client stated it. `duration_minutes` is the length of its window."""

    order_unique_key: str
    instrument: str
    side: Side
    total_quantity: int
    num_splits: int
    duration_minutes: int
    randomize: bool = True


def check_new_order(new_order: NewOrder, exchanges: Collection[str]) -> None:
    """Raise the first rule that is broken: InvalidRequest or one of its three narrower kinds."""
    _check_unique_key(new_order.order_unique_key)
    _check_instrument(new_order.instrument, exchanges)
    _check_range("split_config.num_splits", new_order.num_splits, MIN_SPLITS, MAX_SPLITS)
    _check_range("split_config.duration_minutes", new_order.duration_minutes, MIN_MINUTES, MAX_MINUTES)
    _check_quantity(new_order.total_quantity, new_order.num_splits)


def _check_unique_key(key: str) -> None:
    if not UNIQUE_KEY.fullmatch(key):
        rule = "1 to 64 printable ASCII characters"
        raise InvalidRequest(f"order_unique_key must be {rule}", {"field": "order_unique_key", "rule": rule})


def _check_instrument(instrument: str, exchanges: Collection[str]) -> None:
    details = {"field": "instrument", "expected_format": "EXCHANGE:SYMBOL", "exchanges": sorted(exchanges)}
    match = INSTRUMENT.fullmatch(instrument)
    if match is None:
        raise InvalidInstrument(
            "instrument must be EXCHANGE:SYMBOL with a symbol of 1 to 32 of A-Z, 0-9, & and -", details
        )
    if match["exchange"] not in exchanges:
        raise InvalidInstrument(f"exchange {match['exchange']} is not configured", details)


def _check_range(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        details = {"field": field, "min": least, "max": most}
        raise InvalidSplitConfig(f"{field} must be from {least} to {most}", details)


def _check_quantity(total_quantity: int, num_splits: int) -> None:
    field = "total_quantity"
    if not 1 <= total_quantity <= MAX_QUANTITY:
        details = {"field": field, "min": 1, "max": MAX_QUANTITY}
        raise InvalidQuantity(f"{field} must be from 1 to {MAX_QUANTITY}", details)
    if total_quantity < num_splits:
        details = {"field": field, "min": num_splits, "num_splits": num_splits}
        raise InvalidQuantity(f"{field} must be at least split_config.num_splits ({num_splits})", details)
