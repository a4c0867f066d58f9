"""What must hold at every moment, read from the tables with plain SQL and compared with the exchange's own book."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import psycopg2
from psycopg2.extras import RealDictCursor

from api_contract.vocabulary import FINAL_ORDERS, FINAL_SLICES, OrderStatus, SliceStatus
from pulse_core.brokers.port import BrokerOrder, BrokerOrderStatus, Placement
from pulse_core.trading.status import SLICE_MOVES
from tests.rigs.stateful.exchange import FaultyExchange

Row = Mapping[str, Any]
SLICES = "SELECT s.*, o.total_quantity, o.status AS order_status FROM order_slices s JOIN orders o ON o.id = s.order_id"
PLACED = "SELECT p.client_order_id, p.slice_id, s.order_id FROM placements p JOIN order_slices s ON s.id = p.slice_id"
TOTALS = "SELECT id, filled_quantity FROM orders UNION ALL SELECT id, filled_quantity FROM order_slices"
MOVES = "SELECT * FROM slice_events WHERE slice_id IS NOT NULL ORDER BY id"
MAY_BE_LIVE = "(outcome IS NULL OR outcome = 'UNKNOWN' OR (outcome = 'ACKNOWLEDGED' AND ended_at IS NULL))"
EARLIER = f"SELECT 1 FROM placements WHERE slice_id = %s AND client_order_id <> %s AND {MAY_BE_LIVE}"
# A claim may be late by a quarter of an interval; of the rest of it the cap holds.
GONE_OUT = """
    SELECT p.client_order_id, p.quantity, o.max_slice_multiple * ceil(o.total_quantity::numeric / o.num_splits) AS cap
    FROM orders o JOIN order_slices s ON s.order_id = o.id JOIN placements p ON p.slice_id = s.id
    JOIN placements this ON this.client_order_id = %s
    WHERE o.id = %s AND (p.outcome IS NULL OR p.outcome IN ('UNKNOWN', 'ACKNOWLEDGED'))
    AND p.claimed_at <= this.claimed_at
    AND p.claimed_at > this.claimed_at - 0.75 * o.duration_minutes * interval '1 minute' / (o.num_splits - 1)"""
AMENDED = "SELECT 1 FROM slice_events WHERE order_id = %s AND kind = 'AMENDED'"
DROPPING = """
    SELECT p.client_order_id FROM placements p
    JOIN order_slices s ON s.id = p.slice_id JOIN orders o ON o.id = s.order_id WHERE o.leftover = 'drop'"""
BOOKED = "SELECT coalesce(sum(fills.quantity), 0) AS shares FROM fills JOIN order_slices s ON s.id = slice_id"
WAITING_BESIDE = f"""
    SELECT s.id FROM order_slices s JOIN placements p ON p.slice_id = s.id
    WHERE s.status = 'SCHEDULED' AND outcome = 'ACKNOWLEDGED' AND {MAY_BE_LIVE}"""
HALTED = """
    SELECT halts.id FROM halts, order_slices s JOIN orders o ON o.id = s.order_id
    WHERE s.id = %s AND released_at IS NULL AND made_at < %s
      AND coalesce(halts.instrument, o.instrument) = o.instrument"""
QUIET = """
    SELECT 1 FROM halts
    WHERE released_at IS NULL AND instrument IS NULL AND working = 'cancel' AND quiet_at IS NOT NULL"""
A_SECOND = timedelta(seconds=1)
TURNED_UP = "TURNED_UP"
# What an amendment has ended is in the order's total no more.
TAKEN_BACK = "AMENDED"


class Judge:
    """Looks on through a connection of its own, and shares no code with what it judges.

    Where the exchange does what nobody can foresee, an order of a slice may live beside another; then it only judges
    what is done once the database knows of it.
    """

    def __init__(self, database_url: str, exchange: FaultyExchange) -> None:
        self._connection = psycopg2.connect(database_url, application_name="judge")
        self._connection.autocommit = True
        self._exchange = exchange
        self._sent: set[str] = set()
        self._presumed_absent: set[str] = set()
        self.is_all_foreseen = True

    def close(self) -> None:
        self._connection.close()

    def rows(self, query: str, *parameters: object) -> list[Row]:
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(query, parameters)
            return list(cursor.fetchall())

    def cut_all_connections(self) -> None:
        """End every session of Pulse, as a crash of the network or the server does."""
        self.rows(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'pulse'"
        )

    def check_placement(self, placement: Placement) -> None:
        """An order reaches the exchange: its intent is on record, its slice claimed, and nothing else of it is live."""
        coid = placement.client_order_id
        assert coid not in self._sent, "a client order id was used twice"
        self._sent.add(coid)
        (one,) = self.rows(f"{SLICES} WHERE s.client_order_id = %s", coid)
        assert one["status"] == SliceStatus.SENDING, f"a slice was sent while {one['status']}"
        assert one["order_status"] == OrderStatus.IN_PROGRESS, f"sent while {one['order_status']}"
        assert not self.rows(HALTED, one["id"], self._exchange.clock.now - A_SECOND), "sent into a halt"
        self._check_against_what_is_known(one, placement)
        if self.is_all_foreseen:
            assert one["id"] not in self._live_slices(), "a slice was sent while an order of it is live"
            assert self._at_exchange(one["order_id"]) + placement.quantity <= one["total_quantity"], "too much was sent"
            self._check_pace(coid, one["order_id"])

    def _check_pace(self, coid: str, order_id: str) -> None:
        # One that was amended has had several plans.
        if self.rows(AMENDED, order_id):
            return
        rejected = {
            row.client_order_id: row.filled_quantity
            for row in self._exchange.book.values()
            if row.status is BrokerOrderStatus.REJECTED
        }
        gone = self.rows(GONE_OUT, coid, order_id)
        # What the exchange rejects has not been in the market, but for its fills.
        units = [rejected.get(row["client_order_id"], row["quantity"]) for row in gone]
        is_alone = sum(map(bool, units)) == 1
        assert is_alone or sum(units) <= gone[0]["cap"], "more goes out in an interval than may"

    def _check_against_what_is_known(self, one: Row, placement: Placement) -> None:
        assert not self.rows(EARLIER, one["id"], placement.client_order_id), "sent beside an attempt known to be live"
        of_slice = self._booked("slice_id", one["id"]) + placement.quantity
        of_order = self._booked("order_id", one["order_id"]) + placement.quantity
        assert of_slice <= one["quantity"], "more was sent than the slice lacks by its fills"
        assert of_order <= one["total_quantity"], "more was sent than the order lacks by its fills"

    def _booked(self, of: str, which: str) -> int:
        return int(self.rows(f"{BOOKED} WHERE {of} = %s", which)[0]["shares"])

    def check_fenced(self) -> None:
        """Somebody holds a fence: a worker between its claim and its record does."""
        assert self.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"), "the fence was let go"

    def check_recorded(self, said: Mapping[str, str | None]) -> None:
        """Whatever the exchange said of an attempt, a refusal (None) or the id of an order, is on record."""
        for coid, broker_order_id in said.items():
            (attempt,) = self.rows("SELECT outcome, broker_order_id FROM placements WHERE client_order_id = %s", coid)
            assert attempt["outcome"] in ("ACKNOWLEDGED", "REFUSED"), f"an answer was dropped: {attempt['outcome']}"
            assert broker_order_id in (None, attempt["broker_order_id"]), "the id of a broker order was dropped"

    def dropping(self) -> set[str]:
        """The attempts of orders of which no rest comes back."""
        return {row["client_order_id"] for row in self.rows(DROPPING)}

    def lacks_a_known_order(self, rows: Sequence[BrokerOrder]) -> bool:
        """Whether the database knows of an order at the exchange that is not among these."""
        known = self.rows("SELECT broker_order_id FROM placements WHERE broker_order_id IS NOT NULL")
        return bool({row["broker_order_id"] for row in known} - {row.broker_order_id for row in rows})

    def check(self) -> None:
        """The promises that hold at every moment."""
        if self.is_all_foreseen:
            twice = [slice_id for slice_id, count in Counter(self._live_slices()).items() if count > 1]
            assert not twice, "a slice has two live orders"
            self._check_quantities(self.rows(SLICES))
            self._check_receipts()
        assert not self.rows(WAITING_BESIDE), "a slice waits to be sent beside an order of it that is known to be live"
        self._check_fills()
        self._note_what_is_written_off()

    def _check_receipts(self) -> None:
        """Where a halt of everything says that nothing is left at the exchange, nothing is."""
        if self.rows(QUIET):
            assert self._exchange.live_client_order_ids() == [], "a halt is said to be quiet, and is not"

    def check_end(self) -> None:
        """Every order is final, what it says is what the exchange says, and every move was legal."""
        orders = self.rows("SELECT * FROM orders")
        assert [row["status"] for row in orders if row["status"] not in FINAL_ORDERS] == []
        unfinished = [row["status"] for row in self.rows(SLICES) if row["status"] not in FINAL_SLICES]
        assert unfinished == []
        traded = self._traded_by_order()
        for row in orders:
            quantity, value = traded.get(row["id"], (0, Decimal(0)))
            average = (value / quantity).quantize(Decimal("0.0001"), ROUND_HALF_UP) if quantity else None
            assert (row["filled_quantity"], row["average_price"]) == (quantity, average), "totals differ from the book"
        assert self._exchange.live_client_order_ids() == [], "an order is live that nobody follows"
        self._check_moves()
        self._check_alarms()

    def _note_what_is_written_off(self) -> None:
        gone = self.rows("SELECT client_order_id FROM placements WHERE outcome IN ('ABSENT', 'NOT_SENT', 'REFUSED')")
        self._presumed_absent |= {row["client_order_id"] for row in gone}

    def _check_alarms(self) -> None:
        """Whatever was taken for not placed and is in the book was told, but for a refusal that the book confirms."""
        alarms = self.rows("SELECT detail FROM slice_events WHERE kind = 'ALARM' AND detail->>'code' = %s", TURNED_UP)
        told = {row["detail"]["broker_order_id"] for row in alarms}
        refused = self.rows("SELECT client_order_id, ended_at FROM placements WHERE outcome = 'REFUSED'")
        ended = {row["client_order_id"]: row["ended_at"] for row in refused}
        for row in self._exchange.book.values():
            is_rejected = row.status is BrokerOrderStatus.REJECTED and row.filled_quantity == 0
            if is_rejected and row.client_order_id in ended:
                assert row.broker_order_id not in told, "a refusal that the book confirms raised the alarm"
            elif row.status is BrokerOrderStatus.REJECTED and ended.get(row.client_order_id) is not None:
                # The book had confirmed the refusal when, against all that could be foreseen, it was filled.
                assert row.broker_order_id not in told, "a refusal that the book had confirmed raised the alarm"
            elif row.client_order_id in self._presumed_absent:
                assert row.broker_order_id in told, "an order taken for not placed turned up without an alarm"

    def _check_quantities(self, slices: Sequence[Row]) -> None:
        exposed: dict[str, int] = defaultdict(int)
        unsent: dict[str, int] = defaultdict(int)
        left: dict[str, int] = defaultdict(int)
        totals = {one["order_id"]: one["total_quantity"] for one in slices}
        for one in slices:
            leaves = max(one["quantity"] - one["filled_quantity"], 0)
            exposed[one["order_id"]] += one["filled_quantity"] + (leaves if one["status"] not in FINAL_SLICES else 0)
            unsent[one["order_id"]] += leaves if one["status"] == SliceStatus.SCHEDULED else 0
            is_left = one["status"] in FINAL_SLICES and one["error_code"] != TAKEN_BACK
            left[one["order_id"]] += leaves if is_left else 0
        for order_id, total in totals.items():
            assert exposed[order_id] <= total, "filled + working + unknown + unsent exceeds the order"
            assert self._at_exchange(order_id) + unsent[order_id] <= total, "the exchange and the plan exceed the order"
            assert exposed[order_id] + left[order_id] >= total, "of the order something is in no slice"

    def _check_fills(self) -> None:
        trades = {(one.broker_order_id, one.broker_trade_id): one for one in self._exchange.trades}
        fills = self.rows("SELECT f.*, s.order_id FROM fills f JOIN order_slices s ON s.id = f.slice_id")
        booked: dict[str, int] = defaultdict(int)
        for fill in fills:
            trade = trades[fill["broker_order_id"], fill["broker_trade_id"]]
            assert (fill["quantity"], fill["price"]) == (trade.quantity, trade.price)
            booked[fill["slice_id"]] += fill["quantity"]
            booked[fill["order_id"]] += fill["quantity"]
        for row in self.rows(
            "SELECT id, filled_quantity FROM orders UNION SELECT id, filled_quantity FROM order_slices"
        ):
            assert row["filled_quantity"] == booked[row["id"]], "a filled quantity is not the sum of its fills"

    def _check_moves(self) -> None:
        status: dict[str, str] = defaultdict(lambda: SliceStatus.SCHEDULED)
        alarmed = {row["slice_id"] for row in self.rows(MOVES) if row["kind"] == "ALARM"}
        for event in self.rows(MOVES):
            slice_id = event["slice_id"]
            if event["kind"] == "MOVE":
                assert event["from_status"] == status[slice_id], "a move starts where the slice was not"
                assert event["to_status"] in SLICE_MOVES[SliceStatus(event["from_status"])]
                status[slice_id] = event["to_status"]
            if event["kind"] == "FILL" and status[slice_id] in FINAL_SLICES:
                assert slice_id in alarmed, "a fill after the end raised no alarm"
        assert all(one["status"] == status[one["id"]] for one in self.rows(SLICES)), "a status changed without a move"

    def _slice_of(self) -> dict[str, str]:
        return {row["client_order_id"]: row["slice_id"] for row in self.rows(PLACED)}

    def _live_slices(self) -> list[str]:
        slice_of = self._slice_of()
        return [slice_of[coid] for coid in self._exchange.live_client_order_ids()]

    def _at_exchange(self, order_id: str) -> int:
        """Shares of an order that the exchange has traded or may still trade."""
        query = (
            "SELECT p.client_order_id FROM placements p JOIN order_slices s ON s.id = p.slice_id WHERE order_id = %s"
        )
        ours = {row["client_order_id"] for row in self.rows(query, order_id)}
        in_book = sum(
            row.quantity if row.status is BrokerOrderStatus.OPEN else row.filled_quantity
            for row in self._exchange.book.values()
            if row.client_order_id in ours
        )
        return in_book + sum(one.quantity for one, _ in self._exchange.in_flight if one.client_order_id in ours)

    def _traded_by_order(self) -> dict[str, tuple[int, Decimal]]:
        order_of = {row["client_order_id"]: row["order_id"] for row in self.rows(PLACED)}
        traded: dict[str, tuple[int, Decimal]] = {}
        for trade in self._exchange.trades:
            order_id = order_of[self._exchange.book[trade.broker_order_id].client_order_id or ""]
            quantity, value = traded.get(order_id, (0, Decimal(0)))
            traded[order_id] = quantity + trade.quantity, value + trade.quantity * trade.price
        return traded
