"""The exchange's own account of what happened, for judges: read-only, and free of the code it judges.

    with Ledger(path) as ledger:
        ledger.orders(tag="...")

It may be open while the exchange runs, and after it was killed.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

from pulse_ops.paper_exchange.clock import utc
from pulse_ops.paper_exchange.schema import open_for_reading


@dataclass(frozen=True)
class LedgerOrder:
    """An order that stands in the book, accepted or rejected at `placed_at`, and shown from `visible_at` on.

    `average_price` is exact only in `filled_value` / `filled_quantity`. `ended_at` is the first instant in a final
    status, which a late fill does not move.
    """

    order_id: str
    day: str
    tag: str | None
    instrument: str
    side: str
    quantity: int
    order_type: str
    status: str
    status_message: str | None
    filled_quantity: int
    filled_value: Decimal
    cancelled_quantity: int
    placed_at: datetime
    updated_at: datetime
    visible_at: datetime
    ended_at: datetime | None

    @property
    def average_price(self) -> Decimal | None:
        return self.filled_value / self.filled_quantity if self.filled_quantity else None


@dataclass(frozen=True)
class LedgerTrade:
    """A fill; `price` is per share."""

    trade_id: str
    order_id: str
    tag: str | None
    quantity: int
    price: Decimal
    traded_at: datetime


@dataclass(frozen=True)
class Arrival:
    """A placement request as it came in, accepted or not; `arrived_at` is taken before anything else is done.

    `outcome` is ACCEPTED, REFUSED (with an `order_id` where the refusal stands in the book), RATE_LIMITED, ERROR, LOST,
    or PENDING while the exchange takes its time. `faults` are those of the scenario.
    """

    number: int
    arrived_at: datetime
    tag: str | None
    instrument: str
    side: str
    quantity: str
    outcome: str
    faults: tuple[str, ...]
    order_id: str | None


class Ledger:
    """Each method reads the state of its own moment. `tag` narrows the answer to one client order id."""

    def __init__(self, path: Path) -> None:
        self._connection = open_for_reading(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def orders(self, tag: str | None = None) -> list[LedgerOrder]:
        """Every order in the book, oldest first."""
        query = (
            "SELECT orders.*, (SELECT min(at) FROM changes WHERE changes.order_id = orders.order_id"
            " AND changes.status IN ('COMPLETE', 'CANCELLED', 'REJECTED')) AS ended_at"
            " FROM orders {} ORDER BY number"
        )
        return [_order(row) for row in self._rows(query, "tag", tag)]

    def trades(self, tag: str | None = None) -> list[LedgerTrade]:
        """Every fill, oldest first."""
        query = "SELECT trades.*, tag FROM trades JOIN orders USING (order_id) {} ORDER BY trades.number"
        return [_trade(row) for row in self._rows(query, "tag", tag)]

    def arrivals(self, tag: str | None = None) -> list[Arrival]:
        """Every placement request, in the order of arrival."""
        return [_arrival(row) for row in self._rows("SELECT * FROM arrivals {} ORDER BY number", "tag", tag)]

    def _rows(self, query: str, column: str, value: str | None) -> list[sqlite3.Row]:
        where, parameters = ("", ()) if value is None else (f"WHERE {column} = ?", (value,))
        with closing(self._connection.execute(query.format(where), parameters)) as cursor:
            return cursor.fetchall()


def _order(row: sqlite3.Row) -> LedgerOrder:
    return LedgerOrder(
        order_id=row["order_id"],
        day=row["day"],
        tag=row["tag"],
        instrument=f"{row['exchange']}:{row['tradingsymbol']}",
        side=row["transaction_type"],
        quantity=row["quantity"],
        order_type=row["order_type"],
        status=row["status"],
        status_message=row["status_message"],
        filled_quantity=row["filled_quantity"],
        filled_value=_rupees(row["filled_value"]),
        cancelled_quantity=row["cancelled_quantity"],
        placed_at=utc(row["placed_at"]),
        updated_at=utc(row["updated_at"]),
        visible_at=utc(row["visible_at"]),
        ended_at=None if row["ended_at"] is None else utc(row["ended_at"]),
    )


def _trade(row: sqlite3.Row) -> LedgerTrade:
    return LedgerTrade(
        trade_id=row["trade_id"],
        order_id=row["order_id"],
        tag=row["tag"],
        quantity=row["quantity"],
        price=_rupees(row["price"]),
        traded_at=utc(row["traded_at"]),
    )


def _arrival(row: sqlite3.Row) -> Arrival:
    return Arrival(
        number=row["number"],
        arrived_at=utc(row["arrived_at"]),
        tag=row["tag"],
        instrument=row["instrument"],
        side=row["side"],
        quantity=row["quantity"],
        outcome=row["outcome"],
        faults=tuple(filter(None, row["faults"].split(","))),
        order_id=row["order_id"],
    )


def _rupees(paise: int) -> Decimal:
    return Decimal(paise).scaleb(-2)
