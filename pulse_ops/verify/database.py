"""Read what Pulse believes, by SQL of its own."""

from contextlib import closing
from datetime import datetime
from typing import Any, TypeVar

import psycopg2

from pulse_ops.verify.facts import Database, EventRow, FillRow, HaltRow, OrderRow, PlacementRow, SliceRow

Row = TypeVar("Row")

# The broker's own orders, and any that was placed there though it was another's.
_JUDGED = """SELECT id FROM orders WHERE broker = %(broker)s AND archived_at IS NULL UNION SELECT s.order_id
    FROM placements p JOIN order_slices s ON s.id = p.slice_id WHERE p.broker = %(broker)s"""
_ORDERS = """SELECT id, status, result, total_quantity, num_splits, filled_quantity, average_price,
    created_at, updated_at, finished_at, broker,
    hold IS NOT NULL OR broker = ANY(SELECT name FROM broker_accounts WHERE state <> 'READY')
        OR EXISTS (SELECT FROM halts WHERE released_at IS NULL
            AND coalesce(halts.account_id, orders.account_id) = orders.account_id
            AND coalesce(halts.broker, orders.broker) = orders.broker
            AND coalesce(halts.instrument, orders.instrument) = orders.instrument),
    account_id, instrument, end_at, lot_size, randomize,
    CASE WHEN most_per_interval IS NOT NULL THEN max_slice_multiple END
    FROM orders WHERE id = ANY(%(judged)s) ORDER BY id"""
# A slice that waits for its turn goes on as long as turns are given or there is no room for any.
_SLICES = """SELECT id, order_id, sequence_number, quantity, scheduled_at,
    CASE WHEN status = 'SCHEDULED' AND (turn_at IS NULL OR turn_at < now()) THEN greatest(due_at, least(now(),
        (SELECT max(greatest(given_at, room_at, full_until)) FROM broker_budgets))) ELSE due_at END,
    status, attempts, client_order_id,
    broker_order_id, lease_expires_at, deadline_at, resolve_at, filled_quantity, average_price, updated_at
    FROM order_slices WHERE order_id = ANY(%(judged)s) ORDER BY order_id, sequence_number"""
_PLACEMENTS = """SELECT p.client_order_id, p.slice_id, p.attempt, p.quantity, p.broker_order_id, p.outcome,
    p.claimed_at, p.ended_at, p.broker FROM placements p JOIN order_slices s ON s.id = p.slice_id
    WHERE s.order_id = ANY(%(judged)s) ORDER BY p.slice_id, p.attempt"""
_FILLS = """SELECT f.slice_id, f.broker_order_id, f.broker_trade_id, f.quantity, f.price, f.settled_by
    FROM fills f JOIN order_slices s ON s.id = f.slice_id WHERE s.order_id = ANY(%(judged)s) ORDER BY f.id"""
_EVENTS = """SELECT order_id, slice_id, at, kind, from_status, to_status,
    CASE WHEN kind = 'ALARM' THEN detail->>'code' END, detail FROM slice_events
    WHERE kind IN ('MOVE', 'ALARM', 'FILL', 'REQUEST', 'HELD', 'RELEASED', 'AMENDED') AND order_id = ANY(%(judged)s)
    ORDER BY id"""

_HALTS = "SELECT id, account_id, broker, instrument, made_at, released_at FROM halts ORDER BY id"


def read(database_url: str, broker: str) -> Database:
    """One snapshot of every order for this broker. Raises psycopg2.Error."""
    with closing(psycopg2.connect(_libpq(database_url), connect_timeout=5)) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL timezone = 'UTC'")
            judged = _ids(cursor, broker)
            return Database(
                read_at=_now(cursor),
                orders=_rows(cursor, OrderRow, _ORDERS, judged),
                slices=_rows(cursor, SliceRow, _SLICES, judged),
                placements=_rows(cursor, PlacementRow, _PLACEMENTS, judged),
                fills=_rows(cursor, FillRow, _FILLS, judged),
                events=_rows(cursor, EventRow, _EVENTS, judged),
                halts=_rows(cursor, HaltRow, _HALTS, judged),
            )


def _ids(cursor: Any, broker: str) -> list[str]:
    cursor.execute(_JUDGED, {"broker": broker})
    return [order_id for (order_id,) in cursor.fetchall()]


def _rows(cursor: Any, kind: type[Row], query: str, judged: list[str]) -> list[Row]:
    cursor.execute(query, {"judged": judged})
    return [kind(*row) for row in cursor.fetchall()]


def _now(cursor: Any) -> datetime:
    cursor.execute("SELECT now()")
    now: datetime = cursor.fetchone()[0]
    return now


def _libpq(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"
