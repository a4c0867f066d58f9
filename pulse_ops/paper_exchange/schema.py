"""The tables of the exchange's ledger. Instants are microseconds since 1970, prices paise, tokens digests."""

import sqlite3
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS arrivals (
    number INTEGER PRIMARY KEY, arrived_at INTEGER NOT NULL, tag TEXT, instrument TEXT NOT NULL,
    side TEXT NOT NULL, quantity TEXT NOT NULL, outcome TEXT NOT NULL, faults TEXT NOT NULL, order_id TEXT
);
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, day TEXT NOT NULL, tag TEXT,
    exchange TEXT NOT NULL, tradingsymbol TEXT NOT NULL, transaction_type TEXT NOT NULL,
    quantity INTEGER NOT NULL, product TEXT NOT NULL, order_type TEXT NOT NULL, validity TEXT NOT NULL,
    price INTEGER, market_protection TEXT, status TEXT NOT NULL, status_message TEXT,
    filled_quantity INTEGER NOT NULL DEFAULT 0, filled_value INTEGER NOT NULL DEFAULT 0,
    cancelled_quantity INTEGER NOT NULL DEFAULT 0, placed_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL, postback_fault TEXT, postback_seconds REAL NOT NULL DEFAULT 0,
    CHECK (filled_quantity + cancelled_quantity <= quantity)
);
CREATE INDEX IF NOT EXISTS orders_by_day ON orders (day);
CREATE INDEX IF NOT EXISTS open_orders ON orders (day) WHERE status NOT IN ('COMPLETE', 'CANCELLED', 'REJECTED');
CREATE INDEX IF NOT EXISTS orders_by_tag ON orders (tag);
CREATE INDEX IF NOT EXISTS resting_orders ON orders (number) WHERE status = 'OPEN' AND order_type = 'LIMIT';
CREATE TABLE IF NOT EXISTS trades (
    number INTEGER PRIMARY KEY, trade_id TEXT NOT NULL UNIQUE, order_id TEXT NOT NULL REFERENCES orders (order_id),
    quantity INTEGER NOT NULL CHECK (quantity > 0), price INTEGER NOT NULL, traded_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS trades_by_order ON trades (order_id);
CREATE TABLE IF NOT EXISTS changes (
    number INTEGER PRIMARY KEY, order_id TEXT NOT NULL, status TEXT NOT NULL, status_message TEXT,
    filled_quantity INTEGER NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS changes_by_order ON changes (order_id);
CREATE TABLE IF NOT EXISTS later_fills (
    number INTEGER PRIMARY KEY, order_id TEXT NOT NULL, quantity INTEGER NOT NULL,
    due_at INTEGER, after_cancel INTEGER
);
CREATE INDEX IF NOT EXISTS later_fills_by_time ON later_fills (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS later_fills_by_order ON later_fills (order_id);
CREATE TABLE IF NOT EXISTS request_tokens (
    token TEXT PRIMARY KEY, given_at INTEGER NOT NULL, used_at INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS logins (
    access_token TEXT PRIMARY KEY, began_at INTEGER NOT NULL, ends_at INTEGER NOT NULL, is_ended INTEGER NOT NULL
) WITHOUT ROWID;
"""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The ledger, made when it is missing. For one thread at a time, under the caller's lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    # In WAL mode a killed process loses nothing committed; only a machine that loses power could.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript(_TABLES)
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, beside the running exchange or without it."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10)
    connection.row_factory = sqlite3.Row
    return connection
