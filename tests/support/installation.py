"""An installation whose processes run on several hosts, with a trader before its gateway."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2

from pulse_core.postgres.urls import libpq_url
from pulse_ops import verify
from pulse_ops.stack.child import Child
from pulse_ops.verify import broker_records, database
from pulse_ops.verify.facts import Facts
from pulse_ops.verify.violation import Violation
from tests.support.distance import standing_on
from tests.support.hosts import Host
from tests.support.processes import Processes, wait_until
from tests.support.traders import QUANTITY, Trader, a_trader

# Short, so that what a fault leads to happens within the test; the order of the lengths is the real one.
SETTINGS = {
    "PULSE_LEASE": "6",
    "PULSE_BROKER_TIMEOUT": "2",
    "PULSE_SETTLE_DELAY": "6",
    "PULSE_SLICE_TIMEOUT": "8",
    "PULSE_OVERDUE_AFTER": "3",
    "PULSE_RETRY_BACKOFF_MAX": "2",
    "PULSE_PAPER_LIMITS": "false",
}
_HURRY = """
    UPDATE orders SET start_at = start_at - %(by)s, end_at = end_at - %(by)s, created_at = created_at - %(by)s
     WHERE status NOT IN ('DONE', 'CANCELLED', 'SKIPPED');
    UPDATE order_slices SET scheduled_at = scheduled_at - %(by)s, due_at = due_at - %(by)s
     WHERE status = 'SCHEDULED'
"""
_LATENESS = """
    SELECT coalesce(extract(epoch FROM max(coalesce(placements.claimed_at, now()) - order_slices.scheduled_at)), 0)
      FROM order_slices JOIN orders ON orders.id = order_id JOIN accounts ON accounts.id = orders.account_id
           LEFT JOIN placements ON placements.slice_id = order_slices.id AND attempt = 1
     WHERE accounts.username = %s AND order_slices.scheduled_at < now()
"""
_ORDERS = "SELECT order_unique_key, id, status, filled_quantity FROM orders"


@dataclass
class Installation:
    """`database_url` is how this test asks, from `front`, where gapi and pulse run. None: everything is on one host."""

    folder: Path
    environment: Mapping[str, str]
    front: Host | None
    database_url: str
    exchange_url: str
    gapi_url: str = ""
    pulse_url: str = ""
    trader: Trader = field(init=False)
    _processes: dict[str, Processes] = field(default_factory=dict)

    def open(self, pulse: Mapping[str, str], gapi: Mapping[str, str]) -> None:
        """Start pulse and gapi, with what they are told beside the rest."""
        assert self.front is not None
        on_front = self.on(self.front)
        with self.here():
            _, self.pulse_url = on_front.pulse(**pulse)
            _, self.gapi_url = on_front.gapi(PULSE_URL=self.pulse_url, **gapi)

    def trade(self, pause: float = 0.5, *, is_watching: bool = False) -> None:
        """Let a trader place orders all the time, so many seconds apart, and look at them if he is watching."""
        with self.here():
            self.trader = a_trader(self.gapi_url, self.database_url)
            self.trader.trade(pause, is_watching=is_watching)

    def here(self) -> AbstractContextManager[None]:
        return standing_on(self.front) if self.front else nullcontext()

    def on(self, host: Host) -> Processes:
        """The processes of a host; start some while this thread stands there."""
        return self._processes.setdefault(host.name, Processes(self._folder(host), self.environment, host.address))

    def worker(self, host: Host, kind: str, **environment: str) -> Child:
        with standing_on(host):
            start = self.on(host).worker_slices if kind == "slices" else self.on(host).worker_control
            return start(**environment)

    def rows(self, query: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """What a query finds; a statement that finds nothing gives no rows."""
        with (
            self.here(),
            closing(psycopg2.connect(libpq_url(self.database_url), connect_timeout=5)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def worst_lateness(self) -> float:
        """By how many seconds the trader's latest slice was claimed late, or is overdue; ask before `hurry`."""
        [(worst,)] = self.rows(_LATENESS, (self.trader.username,))
        return float(worst)

    def filled(self) -> int:
        """How many slices are."""
        return int(self.rows("SELECT count(*) FROM order_slices WHERE status = 'FILLED'")[0][0])

    def wait_for_trades(self, seconds: float = 60) -> None:
        """Until two more slices have gone out and are known to be filled."""
        before = self.filled()
        wait_until(lambda: self.filled() >= before + 2, seconds, "the fill of two more slices")

    def hurry(self, by: timedelta = timedelta(seconds=50)) -> None:
        """Let what is unsent be due sooner, as if its orders had been accepted that much earlier."""
        self.rows(_HURRY, {"by": by})

    def come_to_an_end(self, seconds: float = 120) -> None:
        """Place no more, and wait until every order that was acknowledged is filled, as often as it was."""
        with self.here():
            self.trader.stop()
        self.hurry()
        wait_until(lambda: not self.unfinished(), seconds, "the end of every order")
        stored = {key: (order, status, filled) for key, order, status, filled in self.rows(_ORDERS)}
        wanted = {key: (order, "DONE", QUANTITY) for key, order in self.trader.acknowledged.items()}
        assert {key: stored.get(key) for key in wanted} == wanted
        assert self.trader.refused == []

    def unfinished(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT id, status FROM orders WHERE status NOT IN ('DONE', 'CANCELLED', 'SKIPPED')")

    def broken_promises(self) -> list[Violation]:
        """The database held against the exchange's ledger, all orders being final."""
        with self.here():
            found = database.read(libpq_url(self.database_url), "paper")
            books = broker_records.from_exchange(self.exchange_url)
        return verify.broken_promises(Facts(found, books, is_final=True, grace=timedelta(0)))

    def close(self) -> None:
        for processes in self._processes.values():
            processes.close()

    def _folder(self, host: Host) -> Path:
        folder = self.folder / f"on-{host.name}"
        folder.mkdir(exist_ok=True)
        return folder
