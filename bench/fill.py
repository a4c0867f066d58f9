"""Full tables: so many scheduled and so many finished slices, with what finished ones leave behind."""

from bench.stack import Site

SLICES_PER_ORDER = 100
TABLES = "orders, order_slices, placements, fills, slice_events"
# Scheduled from tomorrow on, so that no run reaches them; finished over the last thirty days.
_LIVE, _ENDED = "now() + interval '1 day'", "now() - n % 30 * interval '1 day' - interval '2 days'"

_ORDERS = """INSERT INTO orders (id, account_id, order_unique_key, broker, instrument, side, total_quantity,
        num_splits, duration_minutes, randomize, seed, status, result, filled_quantity, average_price,
        start_at, end_at, created_at, updated_at, finished_at, trace)
    SELECT 'ord_{mark}' || lpad(n::text, 25, '0'), (SELECT min(id) FROM accounts), '{mark}' || n, 'paper',
        'NSE:RELIANCE', 'BUY', 1000, 100, 1440, true, n, '{status}', {result}, {filled}, {price},
        {start}, {start} + interval '1 day', {start} - interval '1 day', {start}, {finished}, '{{}}'
    FROM generate_series(1, {count} / 100) n"""
_SLICES = """INSERT INTO order_slices (id, order_id, sequence_number, quantity, scheduled_at, due_at, status, attempts,
        failures, cancel_asks, filled_quantity, average_price, client_order_id, broker_order_id, sent_at, deadline_at,
        updated_at)
    SELECT 'sl_{mark}' || lpad((n * 100 + k)::text, 25, '0'), 'ord_{mark}' || lpad(n::text, 25, '0'), k, 10,
        {start} + k * interval '14 minutes', {start} + k * interval '14 minutes', '{status}', {tried}, 0, 0,
        {filled}, {price}, {client_order_id}, {broker_order_id}, {sent}, {sent}, {start}
    FROM generate_series(1, {count} / 100) n, generate_series(1, 100) k"""
_PLACEMENTS = """INSERT INTO placements (client_order_id, slice_id, attempt, quantity, broker, broker_order_id, outcome,
        claimed_at, ended_at)
    SELECT client_order_id, id, 1, quantity, 'paper', broker_order_id, 'ACKNOWLEDGED', sent_at, sent_at
    FROM order_slices WHERE status = 'FILLED'"""
_FILLS = """INSERT INTO fills (slice_id, broker, broker_order_id, broker_trade_id, quantity, price,
        traded_at, recorded_at)
    SELECT id, 'paper', broker_order_id, broker_order_id, quantity, 100, sent_at, sent_at
    FROM order_slices WHERE status = 'FILLED'"""
_EVENTS = """INSERT INTO slice_events (account_id, sequence, order_id, slice_id, at, kind, from_status,
        to_status, detail)
    SELECT (SELECT min(id) FROM accounts), row_number() OVER (), order_id, id, sent_at, 'MOVE', 'WORKING',
        'FILLED', '{}'
    FROM order_slices WHERE status = 'FILLED'"""


def fill_tables(site: Site, count: int) -> None:
    """Give the first account `count` scheduled and as many finished slices, a hundred to an order."""
    scheduled = {
        "mark": "1", "start": _LIVE, "finished": "NULL", "result": "NULL", "filled": "0", "price": "NULL",
        "tried": "0", "client_order_id": "NULL", "broker_order_id": "NULL", "sent": "NULL", "count": count,
    }  # fmt: skip
    ended = {
        "mark": "0", "start": _ENDED, "finished": _ENDED, "result": "'FILLED'", "price": "100", "tried": "1",
        "client_order_id": "'B' || lpad((n * 100 + k)::text, 19, '0')", "broker_order_id": "'b' || (n * 100 + k)",
        "sent": _ENDED, "count": count,
    }  # fmt: skip
    statements = [
        _ORDERS.format(status="IN_PROGRESS", **scheduled),
        _SLICES.format(status="SCHEDULED", **scheduled),
        _ORDERS.format(status="DONE", filled="1000", **ended),
        _SLICES.format(status="FILLED", filled="10", **ended),
        _PLACEMENTS,
        _FILLS,
        _EVENTS,
    ]
    # Rows that fit together are made here: looking up each reference would double the time.
    settings = "SET LOCAL session_replication_role = replica; SET LOCAL synchronous_commit = off"
    site.ask(f"BEGIN; {settings}; {'; '.join(statements)}; COMMIT")
    for table in TABLES.split(", "):
        site.ask(f"VACUUM (ANALYZE) {table}")
