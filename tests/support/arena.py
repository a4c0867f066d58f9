"""Real processes around one paper exchange, in which one of them is killed at a named point, again and again."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests
from ulid import ULID

from pulse_core import config, failpoints
from pulse_core.trading.store import installation
from pulse_ops import verify
from pulse_ops.stack.child import Child
from pulse_ops.verify import broker_records, database
from pulse_ops.verify.facts import Facts
from pulse_ops.verify.violation import Violation
from tests.support import servers
from tests.support.factories import an_account
from tests.support.processes import Processes
from tests.support.service_token import service_token

# Short, so that a killed worker's slice is taken up within seconds; the order of the lengths is the real one.
SETTINGS = {
    "PULSE_LEASE": "4",
    "PULSE_BROKER_TIMEOUT": "1",
    "PULSE_SETTLE_DELAY": "1",
    "PULSE_OVERDUE_AFTER": "1",
    "PULSE_SLICE_TIMEOUT": "3",
    "PULSE_RETRY_BACKOFF_MAX": "1",
    "PULSE_BROKER_ORDERS_PER_SECOND": "0",
    "PULSE_PAPER_LIMITS": "false",
}
FINAL = ("DONE", "CANCELLED", "SKIPPED")


@dataclass
class Arena:
    """`environment` belongs to every process; orders are of one `account`."""

    processes: Processes
    environment: Mapping[str, str]
    exchange_url: str = ""
    pulse_url: str = ""
    account: str = field(default_factory=lambda: an_account(f"acc_{ULID()}"))
    http: requests.Session = field(default_factory=requests.Session)

    def open(self) -> None:
        """Start the exchange and beat, which nobody kills here."""
        self.http.trust_env = False
        port = int(self.environment["PULSE_PAPER_EXCHANGE_URL"].rpartition(":")[2])
        _, self.exchange_url = self.processes.exchange(port=port)
        self.processes.beat()

    def start(self, kind: str, *, is_victim: bool = False) -> Child:
        """Start a process of this kind, ready for work. A victim heeds `strike_at`."""
        variables = {failpoints.VARIABLE: str(self.processes.folder)} if is_victim else {}
        if kind == "pulse":
            child, self.pulse_url = self.processes.pulse(**variables)
            return child
        start = {"slices": self.processes.worker_slices, "control": self.processes.worker_control}[kind]
        return start(**variables)

    def add_fault(self, fault: str, instrument: str, **details: Any) -> None:
        """Let the exchange suffer from this, for one instrument, beside what it suffers from already."""
        url = f"{self.exchange_url}/_paper/scenario"
        # With what is left of their counts.
        rules = self.http.get(url, timeout=5).json()["rules"]
        rules.append({"fault": fault, "instrument": instrument, **details})
        self.http.put(url, json={"rules": rules}, timeout=5).raise_for_status()

    def strike_at(self, point: str, action: str = "kill") -> Callable[[], bool]:
        """Let the victim that next passes the point suffer; returns the question whether it has."""
        order = self.processes.folder / point
        written = order.with_suffix(".writing")
        written.write_text(action)
        written.rename(order)
        return lambda: not order.exists()

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> requests.Response | None:
        """Ask pulse as the gateway would; None when it dies over it."""
        data = b"" if body is None else json.dumps(body).encode()
        token = service_token(self.environment["PULSE_SERVICE_PRIVATE_KEY"], self.account, "trader", method, path, data)
        headers |= {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            return self.http.request(method, self.pulse_url + path, data=data, headers=headers, timeout=5)
        except requests.RequestException:
            return None

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """What a query finds; a statement that finds nothing gives no rows."""
        url = self.environment["DATABASE_URL"]
        with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def make_due(self, order_id: str, by: timedelta = timedelta(minutes=1)) -> None:
        """Move an order's window into the past, as if it had been accepted that much earlier."""
        self.rows(
            "UPDATE orders SET start_at = start_at - %s, end_at = end_at - %s, created_at = created_at - %s"
            " WHERE id = %s; UPDATE order_slices SET scheduled_at = scheduled_at - %s, due_at = due_at - %s"
            " WHERE order_id = %s",
            *(by, by, by, order_id, by, by, order_id),
        )

    def is_split(self, order_id: str) -> bool:
        return bool(self.rows("SELECT 1 FROM order_slices WHERE order_id = %s LIMIT 1", order_id))

    def time_to_next_slice(self, order_id: str) -> timedelta | None:
        """How long it is until the order's next slice is due; None once all have been sent."""
        query = "SELECT min(due_at) - now() FROM order_slices WHERE order_id = %s AND status = 'SCHEDULED'"
        left: timedelta | None = self.rows(query, order_id)[0][0]
        return left

    def unfinished(self) -> list[tuple[Any, ...]]:
        """Orders that have not come to their end, with their slices' states."""
        return self.rows(
            "SELECT o.id, o.instrument, o.status, array_agg(s.status || ' ' || coalesce(s.error_code, ''))"
            " FROM orders o LEFT JOIN order_slices s ON s.order_id = o.id WHERE o.status NOT IN %s GROUP BY o.id",
            FINAL,
        )

    def has_overdue_slices(self) -> bool:
        """Whether anything should have been sent by now; nothing of an order that is held is."""
        return bool(
            self.rows(
                "SELECT 1 FROM order_slices s JOIN orders o ON o.id = s.order_id"
                " WHERE s.status = 'SCHEDULED' AND s.due_at < now() AND o.hold IS NULL LIMIT 1"
            )
        )

    def wait_until_final(self, seconds: float = 120) -> None:
        ends_at = time.monotonic() + seconds
        while unfinished := self.unfinished():
            assert time.monotonic() < ends_at, f"not final within {seconds} s: {unfinished}"
            time.sleep(0.2)

    def broken_promises(self) -> list[Violation]:
        """The database held against the exchange's ledger, all orders being final."""
        found = database.read(self.environment["DATABASE_URL"], "paper")
        facts = Facts(found, broker_records.from_exchange(self.exchange_url), is_final=True, grace=timedelta(0))
        return verify.broken_promises(facts)

    def arrivals(self, client_order_id: str) -> int:
        """How many requests with this client order id the exchange has seen."""
        return sum(one.tag == client_order_id for one in broker_records.from_exchange(self.exchange_url).arrivals)


@contextmanager
def running_arena(environment: Mapping[str, str], folder: Path) -> Iterator[Arena]:
    """An arena with its exchange and beat; SETTINGS hold in this process too while it stands."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        config.settings.cache_clear()
        arena = Arena(Processes(folder, {**environment, **SETTINGS}), environment)
        try:
            arena.open()
            yield arena
        finally:
            arena.processes.close()
    config.settings.cache_clear()


@contextmanager
def arena_on(url: str, environment: dict[str, str], folder: Path, *kinds: str) -> Iterator[Arena]:
    """An arena on a database server of the test's own, which this process uses too; these kinds are started."""
    servers.empty_redis(environment["PULSE_QUEUE_URL"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        forget_database()
        with running_arena({**environment, "DATABASE_URL": url}, folder) as opened:
            for kind in kinds:
                opened.start(kind)
            yield opened
    forget_database()


def forget_database() -> None:
    """Have this process look at its settings anew, and connect to what they name."""
    servers.forget_settings()
    installation.forget_key()
