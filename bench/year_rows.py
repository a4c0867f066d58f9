"""Days of trading as they stand in the tables afterwards: orders of fifty slices, each filled by one attempt."""

from contextlib import closing
from dataclasses import dataclass

import psycopg2

SLICES_PER_ORDER = 50
TABLES = (
    *("orders", "order_slices", "placements", "fills", "slice_events", "merged_events", "arrivals", "audit_entries"),
    "alarms",
)
# The last day of history, so many days ago: it can be archived.
LATEST = 5
_DAY = "(date_trunc('day', now(), 'UTC') - (%(days)s + %(latest)s - day) * interval '1 day' + interval '4 hours')"
_NUMBERED = "SELECT ((day - 1) * %(orders)s + n) AS number, day, n FROM generate_series(1, %(days)s) AS day, "
_NUMBERED += "generate_series(1, %(orders)s) AS n"
_ORDERS = f"""
    INSERT INTO orders (id, account_id, order_unique_key, broker, instrument, side, total_quantity, num_splits,
           duration_minutes, randomize, seed, status, result, filled_quantity, average_price, start_at, end_at,
           created_at, updated_at, finished_at, trace)
    SELECT 'ord_0' || lpad(number::text, 25, '0'), (SELECT min(id) FROM accounts), 'key-' || md5(number::text),
           %(broker)s, 'NSE:RELIANCE', 'BUY', 500, {SLICES_PER_ORDER}, 300, true, number, 'DONE', 'FILLED', 500,
           2500.05,
           {_DAY}, {_DAY} + interval '5 hours', {_DAY}, {_DAY} + interval '5 hours', {_DAY} + interval '5 hours',
           jsonb_build_object('trace_id', md5('t' || number), 'request_id', md5('r' || number))
      FROM ({_NUMBERED}) AS numbered"""
_ARRIVALS = """
    INSERT INTO arrivals (order_id, taken_at, quoted_at, last_price, volume, bids, asks)
    SELECT id, created_at, created_at, 2500, 1000000, '[["2499.95", 100]]', '[["2500.05", 100]]' FROM orders"""
# As where ids follow from the order's key: at random from order to order, side by side in one.
_SLICES = f"""
    INSERT INTO order_slices (id, order_id, sequence_number, quantity, scheduled_at, due_at, status, attempts, failures,
           cancel_asks, filled_quantity, average_price, last_price, client_order_id, broker_order_id, sent_at,
           deadline_at, updated_at)
    SELECT 'sl_0' || substr(upper(md5(o.id)), 1, 21) || lpad(k::text, 4, '0'), o.id, k, 10,
           o.start_at + k * interval '6 minutes', o.start_at + k * interval '6 minutes', 'FILLED', 1, 0, 0, 10, 2500.05,
           2500, substr(upper(md5(o.id || k)), 1, 20), (o.seed * {SLICES_PER_ORDER} + k)::text,
           o.start_at + k * interval '6 minutes', o.start_at + k * interval '7 minutes',
           o.start_at + k * interval '6 minutes'
      FROM orders o, generate_series(1, {SLICES_PER_ORDER}) AS k ORDER BY o.seed, k"""
_PLACEMENTS = """
    INSERT INTO placements (client_order_id, slice_id, attempt, quantity, broker, broker_order_id, outcome, claimed_at,
           ended_at)
    SELECT client_order_id, id, 1, quantity, %(broker)s, broker_order_id, 'ACKNOWLEDGED', sent_at, sent_at
      FROM order_slices ORDER BY sent_at"""
_FILLS = """
    INSERT INTO fills (slice_id, broker, broker_order_id, broker_trade_id, quantity, price, traded_at, recorded_at)
    SELECT id, %(broker)s, broker_order_id, 't' || broker_order_id, quantity, 2500.05, sent_at, sent_at
      FROM order_slices ORDER BY sent_at"""
_EVENTS = """
    INSERT INTO slice_events (account_id, sequence, order_id, slice_id, at, kind, from_status, to_status, detail)
    SELECT account_id, row_number() OVER (ORDER BY at, order_id, slice_id, place), order_id, slice_id, at, kind,
           from_status, to_status, detail
      FROM (SELECT o.account_id, s.order_id, s.id AS slice_id, s.sent_at AS at, place, kind, from_status, to_status,
                   CASE kind WHEN 'FILL' THEN jsonb_build_object('quantity', 10, 'price', '2500.0500')
                             WHEN 'BROKER_CALL' THEN jsonb_build_object('call', 'place', 'outcome', 'ACKNOWLEDGED',
                                                                        'answer', s.broker_order_id)
                             ELSE jsonb_build_object('attempt', 1, 'client_order_id', s.client_order_id) END AS detail
              FROM order_slices s JOIN orders o ON o.id = s.order_id,
                   (VALUES (1, 'MOVE', 'SCHEDULED', 'SENDING'), (2, 'BROKER_CALL', NULL, NULL),
                           (3, 'MOVE', 'SENDING', 'WORKING'), (4, 'FILL', NULL, NULL),
                           (5, 'MOVE', 'WORKING', 'FILLED')) AS events (place, kind, from_status, to_status)
            UNION ALL
            SELECT account_id, id, NULL, CASE place WHEN 3 THEN finished_at ELSE created_at END, place, 'MOVE',
                   from_status, to_status, '{}'
              FROM orders, (VALUES (1, NULL, 'PENDING'), (2, 'PENDING', 'IN_PROGRESS'), (3, 'IN_PROGRESS', 'DONE'))
                           AS moves (place, from_status, to_status)) AS found"""
_FEEDS = """
    INSERT INTO event_feeds (account_id, last_sequence, merged_sequence)
    SELECT account_id, max(sequence), max(sequence) FROM slice_events GROUP BY account_id"""
_MERGED = "INSERT INTO merged_events (sequence, event_id) SELECT sequence, id FROM slice_events ORDER BY sequence"
_AUDIT = f"""
    INSERT INTO audit_entries (at, actor, action, subject, address, detail)
    SELECT {_DAY}, (SELECT min(id) FROM accounts), 'session.begin', (SELECT min(id) FROM accounts), '192.0.2.7', '{{}}'
      FROM generate_series(1, %(days)s) AS day, generate_series(1, 100)"""
_WAITING = f"""
    WITH made AS (
        INSERT INTO orders (id, account_id, order_unique_key, broker, instrument, side, total_quantity, num_splits,
               duration_minutes, randomize, seed, status, filled_quantity, start_at, end_at, created_at, updated_at,
               trace)
        SELECT 'ord_1' || lpad(n::text, 25, '0'), (SELECT min(id) FROM accounts), 'waiting-' || n, 'paper',
               'NSE:RELIANCE', 'BUY', 500, {SLICES_PER_ORDER}, 300, true, n, 'IN_PROGRESS', 0, now() + interval '1 day',
               now() + interval '2 days', now(), now(), '{{}}'
          FROM generate_series(1, %(waiting)s) AS n
     RETURNING id, start_at)
    INSERT INTO order_slices (id, order_id, sequence_number, quantity, scheduled_at, due_at, status, attempts, failures,
           cancel_asks, filled_quantity, updated_at)
    SELECT 'sl_1' || substr(upper(md5(id)), 1, 21) || lpad(k::text, 4, '0'), id, k, 10,
           start_at + k * interval '6 minutes', start_at + k * interval '6 minutes', 'SCHEDULED', 0, 0, 0, 0, now()
      FROM made, generate_series(1, {SLICES_PER_ORDER}) AS k"""
_STATEMENTS = (_ORDERS, _ARRIVALS, _SLICES, _PLACEMENTS, _FILLS, _EVENTS, _FEEDS, _MERGED, _AUDIT, _WAITING)


@dataclass(frozen=True)
class History:
    """So many days of so many slices, with one broker account, and orders of fifty that wait until tomorrow."""

    days: int
    slices_a_day: int
    waiting: int = 0
    broker_account: str = "paper"


def fill(database_url: str, history: History) -> None:
    """Give the first account, which has no orders, this history. The URL is that of a superuser."""
    asked = {
        "days": history.days,
        "orders": history.slices_a_day // SLICES_PER_ORDER,
        "latest": LATEST,
        "waiting": history.waiting,
        "broker": history.broker_account,
    }
    with closing(psycopg2.connect(database_url, connect_timeout=5)) as connection:
        with connection, connection.cursor() as cursor:
            # Rows that fit together are made here: looking up each reference would double the time.
            cursor.execute("SET LOCAL session_replication_role = replica; SET LOCAL synchronous_commit = off")
            for statement in _STATEMENTS:
                cursor.execute(statement, asked)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")


def megabytes(database_url: str) -> dict[str, float]:
    """How large each table is with its indexes."""
    with closing(psycopg2.connect(database_url, connect_timeout=5)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, pg_total_relation_size(name::regclass) / 1048576.0 FROM unnest(%s) AS name", (list(TABLES),)
        )
        return {name: float(size) for name, size in cursor.fetchall()}
