"""What a reading of the books shows: the rows of the day, or what the scenario makes of them.

Rows are JSON texts, and one that has not changed is not written again: a long book is read every second.
"""

import json
import sqlite3
from functools import lru_cache

from pulse_ops.paper_exchange import foreign, wire
from pulse_ops.paper_exchange.errors import WireError, unknown_order
from pulse_ops.paper_exchange.faults import Rule
from pulse_ops.paper_exchange.store import Books

Rows = list[str]

# More than a process has in a day, even with the books of many accounts: read in turns, fewer would all be forgotten
# before they come round.
_KEPT = 200_000

_ORDERS = "SELECT * FROM orders WHERE day = ? AND visible_at <= ? ORDER BY number"
# They stand in the book from the evening on, and belong to the day on which they go out.
_AFTER_MARKET = "SELECT * FROM orders WHERE variety = 'amo' AND day > ? AND visible_at <= ? ORDER BY number"
# Each order as its last change by then had left it.
_ORDERS_BACK_THEN = """
    SELECT orders.order_id, exchange, tradingsymbol, transaction_type, quantity, product, order_type, validity, price,
           market_protection, tag, changes.status, changes.status_message, changes.filled_quantity,
           changes.at AS updated_at,
           (SELECT coalesce(sum(trades.quantity * trades.price), 0) FROM trades
             WHERE trades.order_id = orders.order_id AND traded_at <= ?2) AS filled_value,
           CASE changes.status WHEN 'CANCELLED' THEN quantity - changes.filled_quantity ELSE 0 END
             AS cancelled_quantity, variety, trigger_price, validity_ttl, disclosed_quantity, modifications, limit_price
      FROM orders
      JOIN changes ON changes.number =
           (SELECT max(number) FROM changes WHERE changes.order_id = orders.order_id AND changes.at <= ?2)
     WHERE day = ?1 AND visible_at <= ?2 ORDER BY orders.number
"""
_TRADES = (
    "SELECT trades.*, exchange, tradingsymbol, transaction_type, product FROM trades JOIN orders USING (order_id)"
    " WHERE day = ? AND visible_at <= ? AND traded_at <= ? ORDER BY trades.number"
)
_CHANGES = "SELECT * FROM changes WHERE order_id = ? AND at <= ? ORDER BY number"
_TRADES_OF_ONE = (
    "SELECT trades.*, exchange, tradingsymbol, transaction_type, product FROM trades JOIN orders USING (order_id)"
    " WHERE order_id = ? AND traded_at <= ? ORDER BY trades.number"
)


def order_book(books: Books, rule: Rule | None, now: int) -> Rows:
    """Every order of the day, as a reading that suffers `rule` shows them. Raises WireError."""
    at = _instant(rule, now)
    if rule is not None and rule.fault == "book_foreign":
        return [json.dumps(row) for row in foreign.orders(books.day(at), at)]
    rows = books.rows(_ORDERS_BACK_THEN if at < now else _ORDERS, books.day(at), at)
    rows += books.rows(_AFTER_MARKET, books.day(at), at)
    return _shown([_order_text(row) for row in rows], rule)


def trade_book(books: Books, rule: Rule | None, now: int) -> Rows:
    """Every trade of the day, as a reading that suffers `rule` shows them. Raises WireError."""
    at = _instant(rule, now)
    if rule is not None and rule.fault == "book_foreign":
        return [json.dumps(row) for row in foreign.trades(books.day(at), at)]
    return _shown([_trade_text(row) for row in books.rows(_TRADES, books.day(at), at, at)], rule)


def order_history(books: Books, rule: Rule | None, now: int, order: sqlite3.Row) -> Rows:
    """One row for each change of an order, as a reading that suffers `rule` shows them. Raises WireError."""
    at = _instant(rule, now)
    changes = books.rows(_CHANGES, order["order_id"], at)
    trades = books.rows(_TRADES_OF_ONE, order["order_id"], at)
    rows = _shown([json.dumps(row) for row in wire.history(order, changes, trades)], rule)
    if not rows or (rule is not None and rule.fault == "book_foreign"):
        raise unknown_order()
    return rows


def order_trades(books: Books, rule: Rule | None, now: int, order: sqlite3.Row) -> Rows:
    """The trades of an order, as a reading that suffers `rule` shows them. Raises WireError."""
    if rule is not None and rule.fault == "book_foreign":
        raise unknown_order()
    trades = books.rows(_TRADES_OF_ONE, order["order_id"], _instant(rule, now))
    return _shown([_trade_text(row) for row in trades], rule)


@lru_cache(maxsize=_KEPT)
def _order_text(row: sqlite3.Row) -> str:
    return json.dumps(wire.order_row(row))


@lru_cache(maxsize=_KEPT)
def _trade_text(row: sqlite3.Row) -> str:
    return json.dumps(wire.trade_row(row))


def _instant(rule: Rule | None, now: int) -> int:
    return now - round(rule.seconds * 1_000_000) if rule is not None and rule.fault == "book_stale" else now


def _shown(rows: Rows, rule: Rule | None) -> Rows:
    if rule is None or rule.fault in ("book_stale", "book_foreign"):
        return rows
    if rule.fault == "book_empty":
        return []
    if rule.fault == "book_cut":
        # The end is lost: the newest rows, of which nobody has heard yet.
        return rows[: int(len(rows) * rule.fraction)]
    raise WireError(rule.status, "NetworkException", rule.message)
