"""The only writer of the ledger: orders, fills, changes and arrivals, each inside the caller's transaction."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, time
from pathlib import Path
from threading import RLock

from pulse_ops.paper_exchange.checks import OrderRequest
from pulse_ops.paper_exchange.clock import now_us, trading_day
from pulse_ops.paper_exchange.schema import open_for_writing

FINAL = frozenset({"COMPLETE", "CANCELLED", "REJECTED"})
DAY_ENDED = "The order ended with its day."

_SECONDS_PER_DAY = 86_400
_DAY_US, _INDIA_US = 86_400_000_000, 19_800_000_000
_OPEN_BEFORE = (
    "SELECT order_id FROM orders WHERE day < ? AND status NOT IN ('COMPLETE', 'CANCELLED', 'REJECTED') ORDER BY number"
)
_OPEN = (
    "SELECT * FROM orders WHERE day = ? AND status NOT IN ('AMO REQ RECEIVED', 'COMPLETE', 'CANCELLED', 'REJECTED')"
    " ORDER BY number"
)
_COLUMNS = (
    "number, order_id, day, tag, exchange, tradingsymbol, transaction_type, quantity, product, order_type, validity,"
    " price, market_protection, status, placed_at, updated_at, visible_at, postback_fault, postback_seconds, variety,"
    " trigger_price, validity_ttl, disclosed_quantity, blocked, limit_price, due_at"
)
_ADD_ORDER = f"INSERT INTO orders ({_COLUMNS}) VALUES ({', '.join('?' * len(_COLUMNS.split(',')))})"  # noqa: S608


class Books:
    """One connection behind one lock: a transaction here is also the critical section of the exchange."""

    def __init__(self, path: Path, day_starts: time = time(0)) -> None:
        self.path = path
        self._day_starts = day_starts
        self._lock = RLock()
        self._connection = open_for_writing(path)
        # Ids must never come again, not even after the ledger was deleted and begun anew on the same day.
        self._ledger_id = self._first("born", f"{now_us() // 1_000_000 % _SECONDS_PER_DAY:05d}")
        self._days_ended_early = int(self._first("days_ended_early", "0"))
        self._moved_by = int(self._first("clock_moved_by", "0"))
        self._last = {table: self._last_number(table) for table in ("arrivals", "orders", "trades")}

    def lose_pending(self) -> None:
        """Book the requests that a process which has ended was still taking its time for: nobody accepts them now."""
        with self.transaction():
            self._connection.execute("UPDATE arrivals SET outcome = 'LOST' WHERE outcome = 'PENDING'")

    def close(self) -> None:
        """Write everything into the one file and let go of it."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and on disk when the block ends."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def next_arrival(self) -> int:
        """The number of a placement request that has just come in."""
        with self._lock:
            return self._next("arrivals")

    def add_arrival(
        self, number: int, at: int, form: Mapping[str, str], outcome: str, faults: Collection[str], order_id: str | None
    ) -> None:
        """Book a placement request as it was sent, with what has become of it by now."""
        instrument = f"{form.get('exchange', '')}:{form.get('tradingsymbol', '')}"
        self._connection.execute(
            "INSERT INTO arrivals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number)"
            " DO UPDATE SET outcome = excluded.outcome, order_id = excluded.order_id",
            (
                number,
                at,
                form.get("tag"),
                instrument,
                form.get("transaction_type", ""),
                form.get("quantity", ""),
                outcome,
                ",".join(faults),
                order_id,
            ),
        )

    def add_order(
        self,
        request: OrderRequest,
        status: str,
        at: int,
        visible_at: int,
        postback: tuple[str | None, float],
        *,
        day: str | None = None,
        due_at: int | None = None,
        blocked: int = 0,
    ) -> str:
        """Book an order and return its id: the date, the ledger, a running number.

        `day` is the one whose book it belongs to, if that is another; at `due_at` something happens to it by the clock.
        """
        number = self._next("orders")
        order_id = self._id(number, at)
        self._connection.execute(
            _ADD_ORDER,
            (
                number,
                order_id,
                day or self.day(at),
                request.tag,
                request.exchange,
                request.tradingsymbol,
                request.transaction_type,
                request.quantity,
                request.product,
                request.order_type,
                request.validity,
                request.price,
                request.market_protection,
                status,
                at,
                at,
                visible_at,
                *postback,
                request.variety,
                request.trigger_price,
                request.validity_ttl,
                request.disclosed_quantity,
                blocked,
                request.price if request.order_type == "LIMIT" else None,
                due_at,
            ),
        )
        self.add_change(order_id)
        return order_id

    def add_fill(self, order_id: str, quantity: int, price: int, at: int) -> None:
        """Book a trade. A cancelled order takes it out of its cancelled quantity and stays cancelled."""
        number = self._next("trades")
        self._connection.execute(
            "INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?)",
            (number, self._id(number, at), order_id, quantity, price, at),
        )
        self._connection.execute(
            "UPDATE orders SET filled_quantity = filled_quantity + :quantity,"
            " filled_value = filled_value + :quantity * :price, updated_at = :at,"
            " cancelled_quantity = max(cancelled_quantity - :quantity, 0),"
            " status = CASE WHEN status = 'CANCELLED' THEN status"
            " WHEN filled_quantity + :quantity = quantity THEN 'COMPLETE' ELSE 'OPEN' END"
            " WHERE order_id = :order_id",
            {"order_id": order_id, "quantity": quantity, "price": price, "at": at},
        )
        self.add_change(order_id)

    def end_order(self, order_id: str, status: str, message: str | None, at: int) -> None:
        """Make an order CANCELLED or REJECTED; what it had filled stays filled."""
        self._connection.execute(
            "UPDATE orders SET status = ?, status_message = ?, updated_at = ?,"
            " cancelled_quantity = CASE WHEN ? = 'CANCELLED' THEN quantity - filled_quantity ELSE 0 END"
            " WHERE order_id = ?",
            (status, message, at, status, order_id),
        )
        self.add_change(order_id)

    def cancel_order(self, order_id: str, message: str | None, at: int) -> None:
        """Cancel what is left of an order, and the fills that were planned of it, but for those that come late."""
        self.end_order(order_id, "CANCELLED", message, at)
        self.replan_fills_after_cancel(order_id, at)

    def day(self, at: int) -> str:
        """The trading day, as YYYY-MM-DD."""
        return trading_day(at, self._day_starts, self._days_ended_early)

    def today(self, at: int) -> date:
        """The same as a date."""
        return date.fromisoformat(self.day(at))

    def end_day_early(self) -> None:
        """Begin the next day now, whatever the clock says."""
        self._days_ended_early += 1
        self.set_note("days_ended_early", str(self._days_ended_early))

    def end_orders_before(self, day: str, at: int) -> list[str]:
        """Cancel what is left of the orders of earlier days, as none lives longer than its day; their ids."""
        ended = [row["order_id"] for row in self.rows(_OPEN_BEFORE, day)]
        for order_id in ended:
            self.end_order(order_id, "CANCELLED", DAY_ENDED, at)
        self._connection.execute(
            "DELETE FROM later_fills WHERE order_id IN (SELECT order_id FROM orders WHERE day < ?)", (day,)
        )
        return ended

    def plan_fill(self, order_id: str, quantity: int, due_at: int | None, after_cancel: int | None = None) -> None:
        """Fill at `due_at`, or `after_cancel` microseconds after a cancellation."""
        self._connection.execute(
            "INSERT INTO later_fills (order_id, quantity, due_at, after_cancel) VALUES (?, ?, ?, ?)",
            (order_id, quantity, due_at, after_cancel),
        )

    def replan_fills_after_cancel(self, order_id: str, at: int) -> None:
        """Forget the planned fills of a cancelled order, but for those that come late."""
        self._connection.execute("DELETE FROM later_fills WHERE order_id = ? AND after_cancel IS NULL", (order_id,))
        self._connection.execute("UPDATE later_fills SET due_at = ? + after_cancel WHERE order_id = ?", (at, order_id))

    def take_due_fills(self, at: int) -> list[sqlite3.Row]:
        """Fills whose time has come; they leave the plan."""
        due = self.rows("SELECT * FROM later_fills WHERE due_at <= ? ORDER BY due_at, number", at)
        for fill in due:
            self._connection.execute("DELETE FROM later_fills WHERE number = ?", (fill["number"],))
        return due

    def order(self, order_id: str) -> sqlite3.Row | None:
        """The order of this id."""
        found = self.rows("SELECT * FROM orders WHERE order_id = ?", order_id)
        return found[0] if found else None

    def resting_orders(self) -> list[sqlite3.Row]:
        """Orders that wait for the price of their limit."""
        return self.rows("SELECT * FROM orders WHERE status = 'OPEN' AND limit_price IS NOT NULL ORDER BY number")

    def open_orders(self, at: int) -> list[sqlite3.Row]:
        """Orders of this day that are at the market and not over."""
        return self.rows(_OPEN, self.day(at))

    def stops(self) -> list[sqlite3.Row]:
        """Orders that wait for their trigger."""
        return self.rows("SELECT * FROM orders WHERE status = 'TRIGGER PENDING' ORDER BY number")

    def take_due_orders(self, at: int) -> list[sqlite3.Row]:
        """Orders whose time has come: after market orders to go out, others to end; it does not come again."""
        due = self.rows("SELECT * FROM orders WHERE due_at <= ? ORDER BY due_at, number", at)
        for order in due:
            self.change_order(order["order_id"], due_at=None)
        return due

    def change_order(self, order_id: str, **values: object) -> None:
        """Set columns of an order; a change of its status is to be kept for its history."""
        columns = ", ".join(f"{name} = ?" for name in values)
        self._connection.execute(f"UPDATE orders SET {columns} WHERE order_id = ?", (*values.values(), order_id))  # noqa: S608

    def is_anything_waiting(self) -> bool:
        """Whether an order waits for a price, or a fill for its time."""
        waiting = self.rows(
            "SELECT 1 FROM orders WHERE status = 'OPEN' AND limit_price IS NOT NULL"
            " UNION ALL SELECT 1 FROM orders WHERE status = 'TRIGGER PENDING'"
            " UNION ALL SELECT 1 FROM later_fills WHERE due_at IS NOT NULL LIMIT 1"
        )
        return bool(waiting)

    def last_prices(self) -> dict[str, int]:
        """The price of each instrument's last trade, in paise."""
        rows = self.rows(
            "SELECT instrument, price, max(number) FROM ("
            " SELECT exchange || ':' || tradingsymbol AS instrument, trades.price, trades.number"
            " FROM trades JOIN orders USING (order_id) UNION ALL"
            " SELECT exchange || ':' || tradingsymbol, last_price, last_number FROM carried) GROUP BY instrument"
        )
        return {row["instrument"]: row["price"] for row in rows}

    def average_price(self, exchange: str, symbol: str, since: int, until: int) -> int | None:
        """What one share cost on the average in a stretch of time, in paise; None if nothing was traded."""
        [(value, quantity)] = self.rows(
            "SELECT sum(trades.quantity * trades.price), sum(trades.quantity) FROM trades JOIN orders USING (order_id)"
            " WHERE exchange = ? AND tradingsymbol = ? AND traded_at >= ? AND traded_at < ?",
            exchange,
            symbol,
            since,
            until,
        )
        return value // quantity if quantity else None

    def volume(self, exchange: str, symbol: str) -> int:
        """How many shares of an instrument the ledger has traded."""
        found = self.rows(
            "SELECT coalesce(sum(quantity), 0) FROM ("
            " SELECT trades.quantity FROM trades JOIN orders USING (order_id)"
            " WHERE exchange = ?1 AND tradingsymbol = ?2"
            " UNION ALL SELECT quantity FROM carried WHERE exchange = ?1 AND tradingsymbol = ?2)",
            exchange,
            symbol,
        )
        return int(found[0][0])

    def writes_today(self, at: int) -> int:
        """How many calls of this day wrote, as far as the ledger knows: placements, taken or not, and modifications."""
        day_began = at - (at + _INDIA_US) % _DAY_US
        placed = self.rows("SELECT count(*) FROM arrivals WHERE arrived_at >= ?", day_began)[0][0]
        modified = self.rows("SELECT coalesce(sum(modifications), 0) FROM orders WHERE day >= ?", self.day(at))[0][0]
        return int(placed) + int(modified)

    def now(self) -> int:
        """The instant by the exchange's clock: the machine's, and what it was moved by."""
        return now_us() + self._moved_by

    def move_clock(self, to: int | None) -> None:
        """Let the exchange's clock go on from this instant, or from the machine's when it is None."""
        self._moved_by = 0 if to is None else to - now_us()
        self.set_note("clock_moved_by", str(self._moved_by))

    def write(self, statement: str, *parameters: object) -> int:
        """Write a row of what is no order, inside a transaction; how many were touched."""
        return self._connection.execute(statement, parameters).rowcount

    def note(self, name: str) -> str | None:
        """A text kept with the ledger."""
        found = self.rows("SELECT value FROM meta WHERE name = ?", name)
        return found[0]["value"] if found else None

    def set_note(self, name: str, value: str) -> None:
        """Keep a text with the ledger, over restarts."""
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def rows(self, query: str, *parameters: object) -> list[sqlite3.Row]:
        """What a query of the ledger gives, inside or outside a transaction."""
        with self._lock:
            return self._connection.execute(query, parameters).fetchall()

    def add_change(self, order_id: str) -> None:
        """Keep an order as it is now for its history."""
        self._connection.execute(
            "INSERT INTO changes (order_id, status, status_message, filled_quantity, at)"
            " SELECT order_id, status, status_message, filled_quantity, updated_at FROM orders WHERE order_id = ?",
            (order_id,),
        )

    def _id(self, number: int, at: int) -> str:
        return f"{self.day(at).replace('-', '')[2:]}{self._ledger_id}{number:08d}"

    def _next(self, table: str) -> int:
        self._last[table] += 1
        return self._last[table]

    def _last_number(self, table: str) -> int:
        in_archive = int(self.note(f"last_{table}") or 0)
        return max(in_archive, int(self.rows(f"SELECT coalesce(max(number), 0) FROM {table}")[0][0]))  # noqa: S608

    def _first(self, name: str, value: str) -> str:
        if self.note(name) is None:
            self.set_note(name, value)
        return self.note(name) or value
