"""The tables of the exchange's ledger. Instants are microseconds since 1970, prices paise, tokens digests.

`carried` is what was traded on days that are in an archive: of their trades, quantity and value by who they count for.
"""

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
    variety TEXT NOT NULL DEFAULT 'regular', trigger_price INTEGER, validity_ttl INTEGER,
    disclosed_quantity INTEGER NOT NULL DEFAULT 0, modifications INTEGER NOT NULL DEFAULT 0,
    blocked INTEGER NOT NULL DEFAULT 0, limit_price INTEGER, due_at INTEGER,
    CHECK (filled_quantity + cancelled_quantity <= quantity)
);
CREATE INDEX IF NOT EXISTS orders_by_day ON orders (day);
CREATE INDEX IF NOT EXISTS open_orders ON orders (day) WHERE status NOT IN ('COMPLETE', 'CANCELLED', 'REJECTED');
CREATE INDEX IF NOT EXISTS orders_by_tag ON orders (tag);
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
CREATE TABLE IF NOT EXISTS carried (
    exchange TEXT NOT NULL, tradingsymbol TEXT NOT NULL, product TEXT NOT NULL, side TEXT NOT NULL,
    quantity INTEGER NOT NULL, value INTEGER NOT NULL, first_number INTEGER NOT NULL, last_number INTEGER NOT NULL,
    last_price INTEGER NOT NULL, PRIMARY KEY (exchange, tradingsymbol, product, side)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS request_tokens (
    token TEXT PRIMARY KEY, given_at INTEGER NOT NULL, used_at INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS logins (
    access_token TEXT PRIMARY KEY, began_at INTEGER NOT NULL, ends_at INTEGER NOT NULL, is_ended INTEGER NOT NULL
) WITHOUT ROWID;
"""

# A ledger from before these columns has them added. `limit_price` is the limit in force while an order stands open, be
# it stated or what protects it; `due_at` is when something happens to it by the clock alone.
_ADDED = (
    "variety TEXT NOT NULL DEFAULT 'regular'",
    "trigger_price INTEGER",
    "validity_ttl INTEGER",
    "disclosed_quantity INTEGER NOT NULL DEFAULT 0",
    "modifications INTEGER NOT NULL DEFAULT 0",
    "blocked INTEGER NOT NULL DEFAULT 0",
    "limit_price INTEGER",
    "due_at INTEGER",
)
_LIMITS_OF_OLD = "UPDATE orders SET limit_price = price WHERE order_type = 'LIMIT'"
_INDEXES = """
DROP INDEX IF EXISTS resting_orders;
CREATE INDEX IF NOT EXISTS orders_at_a_limit ON orders (number) WHERE status = 'OPEN' AND limit_price IS NOT NULL;
CREATE INDEX IF NOT EXISTS stops ON orders (number) WHERE status = 'TRIGGER PENDING';
CREATE INDEX IF NOT EXISTS orders_by_due_time ON orders (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS after_market_orders ON orders (day) WHERE variety = 'amo';
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
    _add_columns(connection)
    connection.executescript(_INDEXES)
    return connection


def _add_columns(connection: sqlite3.Connection) -> None:
    known = {row["name"] for row in connection.execute("PRAGMA table_info(orders)")}
    missing = [column for column in _ADDED if column.split()[0] not in known]
    for column in missing:
        connection.execute(f"ALTER TABLE orders ADD COLUMN {column}")
    if missing:
        connection.execute(_LIMITS_OF_OLD)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, beside the running exchange or without it."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10)
    connection.row_factory = sqlite3.Row
    return connection
