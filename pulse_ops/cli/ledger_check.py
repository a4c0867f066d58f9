"""Does Pulse agree with the exchange? Its orders are compared with the exchange's own ledger, share by share."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median

import psycopg2

from pulse_client.order_models import Order, Slice
from pulse_core.postgres.urls import libpq_url
from pulse_ops.paper_exchange.ledger import Arrival, Ledger, LedgerOrder, LedgerTrade

# Pulse states averages to four decimals.
HALF_A_DIGIT = Decimal("0.00005")

_ATTEMPTS = """
SELECT sequence_number, placements.client_order_id
FROM placements JOIN order_slices ON order_slices.id = slice_id WHERE order_id = %s
"""

Tags = Mapping[int, Sequence[str]]


@dataclass(frozen=True)
class AtExchange:
    """What the ledger holds of one slice: every attempt that reached the exchange, and all of their fills."""

    arrivals: Sequence[Arrival]
    orders: Sequence[LedgerOrder]
    trades: Sequence[LedgerTrade]

    @property
    def quantity(self) -> int:
        return sum(trade.quantity for trade in self.trades)

    @property
    def value(self) -> Decimal:
        """Rupees, exact."""
        return sum((trade.quantity * trade.price for trade in self.trades), Decimal(0))

    @property
    def arrived_at(self) -> datetime | None:
        return self.arrivals[0].arrived_at if self.arrivals else None


@dataclass(frozen=True)
class LedgerCheck:
    """The slices with what the ledger has of them, and a sentence for each difference."""

    slices: Sequence[tuple[Slice, AtExchange]]
    differences: Sequence[str]

    @property
    def quantity(self) -> int:
        return sum(found.quantity for _slice, found in self.slices)

    @property
    def value(self) -> Decimal:
        return sum((found.value for _slice, found in self.slices), Decimal(0))

    @property
    def late_ms(self) -> Sequence[float]:
        return [late for one, found in self.slices if (late := late_ms(one, found)) is not None]

    @property
    def median_late_ms(self) -> float | None:
        return median(self.late_ms) if self.late_ms else None


def tags_of(database_url: str, order_id: str) -> Tags:
    """The client order ids of every attempt at every slice, as written down before each was sent."""
    tags: dict[int, list[str]] = {}
    connect = psycopg2.connect(libpq_url(database_url), connect_timeout=2)
    with closing(connect) as connection, connection.cursor() as cursor:
        cursor.execute(_ATTEMPTS, (order_id,))
        for sequence_number, tag in cursor.fetchall():
            tags.setdefault(sequence_number, []).append(tag)
    return tags


def check_against_ledger(order: Order, slices: Sequence[Slice], tags: Tags, path: Path) -> LedgerCheck:
    """Compare an order that has ended with the ledger, which may be in use. Raises sqlite3.Error."""
    with Ledger(path) as ledger:
        pairs = [(one, _found(ledger, tags.get(one.sequence_number, ()))) for one in slices]
    check = LedgerCheck(pairs, [])
    differences = [line for one, found in pairs for line in _slice_differences(order, one, found)]
    totals = _fills_differ(order.filled_quantity, order.average_price, check.quantity, check.value)
    return LedgerCheck(pairs, [*differences, *(f"the order: {line}" for line in totals)])


def late_ms(one: Slice, found: AtExchange) -> float | None:
    """Milliseconds from the slice's time to its first arrival at the exchange; None when it never arrived."""
    return None if found.arrived_at is None else (found.arrived_at - one.scheduled_at) / timedelta(milliseconds=1)


def _found(ledger: Ledger, tags: Sequence[str]) -> AtExchange:
    arrivals = [arrival for tag in tags for arrival in ledger.arrivals(tag)]
    return AtExchange(
        arrivals=sorted(arrivals, key=lambda arrival: arrival.number),
        orders=[order for tag in tags for order in ledger.orders(tag)],
        trades=[trade for tag in tags for trade in ledger.trades(tag)],
    )


def _slice_differences(order: Order, one: Slice, found: AtExchange) -> Iterator[str]:
    name = f"slice {one.sequence_number}"
    at_exchange = {each.order_id for each in found.orders}
    if one.broker_order_id and one.broker_order_id not in at_exchange:
        yield f"{name}: the exchange has no order {one.broker_order_id}"
    for each in found.orders:
        if (each.instrument, each.side) != (order.instrument, order.side):
            yield f"{name}: the exchange has {each.side} {each.instrument} as {each.order_id}"
    for line in _fills_differ(one.filled_quantity, one.average_price, found.quantity, found.value):
        yield f"{name}: {line}"


def _fills_differ(quantity: int, average: Decimal | None, at_exchange: int, value: Decimal) -> Iterator[str]:
    if quantity != at_exchange:
        yield f"Pulse says {quantity} filled, the exchange {at_exchange}"
    elif quantity and (average is None or abs(average * quantity - value) > quantity * HALF_A_DIGIT):
        yield f"Pulse says {average} on average, the exchange {value / quantity:.4f}"
