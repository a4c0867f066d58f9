"""Read what is in the archive: each order as it was last written."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from pulse_ops.archive import files
from pulse_ops.archive.files import Part

TRADING, ORDERS = "trading", "orders"


def parts(archive: Path) -> Iterator[tuple[Part, set[str]]]:
    """Every part of the trading days, with the orders that no later part has. Raises Damaged."""
    for day in files.days_in(archive, TRADING):
        yield from _parts_of(archive, day)


def _parts_of(archive: Path, day: date) -> Iterator[tuple[Part, set[str]]]:
    of_day = files.parts_of(archive, TRADING, day)
    last = {row["id"]: part for part in of_day for row in files.rows(part, ORDERS)}
    for part in of_day:
        yield part, {order_id for order_id, where in last.items() if where == part}


def rows(archive: Path, table: str) -> Iterator[dict[str, Any]]:
    """All rows of a table, day by day. Raises Damaged."""
    for part, orders in parts(archive):
        for row in files.rows(part, table):
            if _order_of(row, table) in orders:
                yield row


def order(archive: Path, order_id: str) -> dict[str, list[dict[str, Any]]] | None:
    """All rows of an order by table; None where the archive does not have it. Raises Damaged."""
    for part, orders in parts(archive):
        if order_id in orders:
            return _tables(part, {order_id})
    return None


def orders_of(archive: Path, day: date) -> dict[str, list[dict[str, Any]]] | None:
    """All rows of a trading day's orders by table; None where the archive does not have it. Raises Damaged."""
    found: dict[str, list[dict[str, Any]]] = {}
    for part, orders in _parts_of(archive, day):
        for name, rows_of in _tables(part, orders).items():
            found.setdefault(name, []).extend(rows_of)
    return found or None


def _tables(part: Part, orders: set[str]) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [row for row in files.rows(part, name) if _order_of(row, name) in orders]
        for name in files.check(part).tables
    }


def _order_of(row: dict[str, Any], table: str) -> str:
    found: str = row["id" if table == ORDERS else "order_id"]
    return found
