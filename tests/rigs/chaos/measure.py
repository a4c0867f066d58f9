"""What the tables and the ledger tell about a run: progress, recovery and lateness."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2

from pulse_ops.paper_exchange.ledger import Ledger
from tests.rigs.chaos.injector import Struck

_SEEN = {
    "claims": "SELECT extract(epoch FROM at) FROM slice_events WHERE to_status = 'SENDING' ORDER BY at",
    "fills": "SELECT extract(epoch FROM at) FROM slice_events WHERE kind = 'FILL' ORDER BY at",
    "acknowledged": "SELECT extract(epoch FROM at) FROM slice_events WHERE kind = 'BROKER_CALL'"
    " AND detail->>'outcome' = 'ACKNOWLEDGED' ORDER BY at",
}
_LATENESS = """SELECT extract(epoch FROM min(claimed_at) - scheduled_at)
    FROM placements JOIN order_slices ON order_slices.id = slice_id GROUP BY order_slices.id"""
# The sign of life that only a process that works again can give.
_SIGN_OF_LIFE = {
    "worker-slices": "claims",
    "worker-control": "fills",
    "beat": "fills",
    "gapi": "answers",
    "gapi-child": "answers",
    "pulse": "answers",
    "pulse-child": "answers",
    "redis": "claims",
    "postgres": "answers",
    "postgres-backend": "answers",
    "postgres-immediate": "answers",
    "exchange": "acknowledged",
}


class Tables:
    """Questions to the database of a stack; each opens a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = url

    def column(self, query: str) -> list[Any]:
        """The first column. Raises psycopg2.Error."""
        with closing(psycopg2.connect(self._url, connect_timeout=2)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return [row[0] for row in cursor.fetchall()]

    def open_orders(self) -> list[str] | None:
        """Orders that have not ended; None when the database gives no answer."""
        try:
            return self.column("SELECT id FROM orders WHERE finished_at IS NULL")
        except psycopg2.Error:
            return None

    def seconds_of_windows_left(self) -> float | None:
        """Until the last window of an open order is over; None when there is none, or no answer."""
        try:
            query = "SELECT extract(epoch FROM max(end_at) - now()) FROM orders WHERE finished_at IS NULL"
            (left,) = self.column(query)
        except psycopg2.Error:
            return None
        return None if left is None else max(float(left), 0)

    def dump(self, folder: Path) -> None:
        """Every table as a CSV file."""
        with closing(psycopg2.connect(self._url, connect_timeout=2)) as connection, connection.cursor() as cursor:
            for table in ("orders", "order_slices", "placements", "fills", "slice_events"):
                with (folder / f"{table}.csv").open("w") as file:
                    cursor.copy_expert(f"COPY (SELECT * FROM {table}) TO STDOUT WITH CSV HEADER", file)


def recovery_times(tables: Tables, struck: Sequence[Struck], answers: Sequence[float]) -> dict[str, Any]:
    """Seconds from a process fault to the next sign of life, over all faults and by process."""
    seen: Mapping[str, list[float]] = {
        name: [float(at) for at in tables.column(query)] for name, query in _SEEN.items()
    }
    seen = {**seen, "answers": sorted(answers)}
    by_target: dict[str, list[float]] = {}
    for fault in struck:
        target = fault.kind.partition("-")[2]
        if target not in _SIGN_OF_LIFE or not fault.kind.startswith(("kill-", "stop-", "restart-")):
            continue
        signs = seen[_SIGN_OF_LIFE[target]]
        index = bisect_left(signs, fault.at)
        if index < len(signs):
            by_target.setdefault(target, []).append(signs[index] - fault.at)
    everything = [seconds for times in by_target.values() for seconds in times]
    return {
        **percentiles(everything),
        "by_process": {name: percentiles(one) for name, one in sorted(by_target.items())},
    }


def lateness(tables: Tables) -> dict[str, float | None]:
    """Seconds from a slice's time to its first claim."""
    return percentiles([float(seconds) for seconds in tables.column(_LATENESS)])


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p99": None, "max": None}
    last = len(ordered) - 1
    found = {"p50": ordered[last // 2], "p99": ordered[round(last * 0.99)], "max": ordered[-1]}
    return {name: round(value, 3) for name, value in found.items()}


def exchange_faults(ledgers: Sequence[Path]) -> dict[str, int]:
    """How many placement requests each fault struck, and how many were accepted."""
    struck: Counter[str] = Counter()
    for path in ledgers:
        with Ledger(path) as ledger:
            struck.update(fault for arrival in ledger.arrivals() for fault in arrival.faults)
    return dict(struck.most_common())


def shares_in_ledgers(ledgers: Sequence[Path]) -> int:
    """How many shares were traded; what operators settled is one fill, of however many trades."""
    total = 0
    for path in ledgers:
        with Ledger(path) as ledger:
            total += sum(trade.quantity for trade in ledger.trades())
    return total
