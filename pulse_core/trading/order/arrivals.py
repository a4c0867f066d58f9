"""What the instrument of an order stood at when the order arrived, as clients see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from pulse_core.trading.price_tables import Arrival


@dataclass(frozen=True)
class LevelReport:
    price: Decimal
    quantity: int


@dataclass(frozen=True)
class ArrivalReport:
    """What the instrument of an order stood at just after it was accepted: best five levels, the best first."""

    taken_at: datetime
    quoted_at: datetime | None
    last_price: Decimal
    bid: Decimal | None
    ask: Decimal | None
    volume: int | None
    bids: Sequence[LevelReport]
    asks: Sequence[LevelReport]


def arrival_report(seen: Arrival | None) -> ArrivalReport | None:
    """None where nothing was seen."""
    if seen is None:
        return None
    bids, asks = _levels(seen.bids), _levels(seen.asks)
    return ArrivalReport(
        taken_at=seen.taken_at,
        quoted_at=seen.quoted_at,
        last_price=seen.last_price,
        bid=bids[0].price if bids else None,
        ask=asks[0].price if asks else None,
        volume=seen.volume,
        bids=bids,
        asks=asks,
    )


def _levels(stored: Sequence[Sequence[Any]]) -> list[LevelReport]:
    return [LevelReport(Decimal(price), quantity) for price, quantity in stored]
