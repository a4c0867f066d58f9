"""Read what Pulse believes, by SQL of its own."""

from contextlib import closing
from datetime import datetime
from typing import Any, TypeVar

import psycopg2

from pulse_core.verify.facts import Database, EventRow, FillRow, OrderRow, PlacementRow, SliceRow

Row = TypeVar("Row")

_ORDERS = """SELECT id, status, result, total_quantity, num_splits, filled_quantity, average_price,
    created_at, updated_at, finished_at FROM orders ORDER BY id"""
_SLICES = """SELECT id, order_id, sequence_number, quantity, scheduled_at, due_at, status, attempts, client_order_id,
    broker_order_id, lease_expires_at, deadline_at, resolve_at, filled_quantity, average_price, updated_at
    FROM order_slices ORDER BY order_id, sequence_number"""
_PLACEMENTS = """SELECT client_order_id, slice_id, attempt, quantity, broker_order_id, outcome, claimed_at
    FROM placements WHERE broker = %s ORDER BY slice_id, attempt"""
_FILLS = """SELECT slice_id, broker_order_id, broker_trade_id, quantity, price
    FROM fills WHERE broker = %s ORDER BY id"""
_EVENTS = """SELECT order_id, slice_id, at, kind, from_status, to_status, detail->>'alarm'
    FROM slice_events WHERE kind IN ('MOVE', 'ALARM') ORDER BY id"""


def read(database_url: str, broker: str) -> Database:
    """One snapshot of everything placed with this broker. Raises psycopg2.Error."""
    with closing(psycopg2.connect(_libpq(database_url), connect_timeout=5, options="-c timezone=UTC")) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            return Database(
                read_at=_now(cursor),
                orders=_rows(cursor, OrderRow, _ORDERS),
                slices=_rows(cursor, SliceRow, _SLICES),
                placements=_rows(cursor, PlacementRow, _PLACEMENTS, broker),
                fills=_rows(cursor, FillRow, _FILLS, broker),
                events=_rows(cursor, EventRow, _EVENTS),
            )


def _rows(cursor: Any, kind: type[Row], query: str, *parameters: str) -> list[Row]:
    cursor.execute(query, parameters)
    return [kind(*row) for row in cursor.fetchall()]


def _now(cursor: Any) -> datetime:
    cursor.execute("SELECT now()")
    now: datetime = cursor.fetchone()[0]
    return now


def _libpq(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"
