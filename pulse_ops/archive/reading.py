"""Read what is in the archive: each order as it was last written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pulse_ops.archive import files
from pulse_ops.archive.files import Part

TRADING, ORDERS = "trading", "orders"


def parts(archive: Path) -> Iterator[tuple[Part, set[str]]]:
    """Every part of the trading days, with the orders that no later part has. Raises Damaged."""
    for day in files.days_in(archive, TRADING):
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
            tables = files.read_manifest(part).tables
            return {
                name: [row for row in files.rows(part, name) if _order_of(row, name) == order_id] for name in tables
            }
    return None


def _order_of(row: dict[str, Any], table: str) -> str:
    found: str = row["id" if table == ORDERS else "order_id"]
    return found
