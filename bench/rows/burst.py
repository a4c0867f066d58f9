"""Many slices due at one instant: how fast they go out and are recorded, and what each one costs."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.children import BenchError
from bench.clients import load_orders, tomorrow
from bench.context import Bench
from bench.cpu import cpu_taken
from bench.figures import Figure, Reach, Row, Rule, Spread, median_by_name
from bench.floors import Started
from bench.statements import Statements, counted

SLICES_PER_ORDER = 100
_UNRECORDED = "SELECT count(*) FROM order_slices WHERE status IN ('SCHEDULED', 'SENDING')"
_UNFINISHED = "SELECT count(*) FROM orders WHERE finished_at IS NULL"
_LEAD_SECONDS = 6.0
_PATIENCE_SECONDS = 120.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Burst:
    """One instant's slices: when they were recorded, when their orders were done, and the CPU until then."""

    slices: int
    recorded_seconds: float
    done_seconds: float
    cpu_ms: dict[str, float]

    @property
    def rate(self) -> float:
        return self.slices / self.recorded_seconds


def measure(bench: Bench) -> Row:
    count = bench.sizes.burst_slices
    row = Row(
        "burst",
        f"{count:,} slices due at once, exchange limits off: until all are recorded",
        operation="slice",
        floor="Celery tasks that do nothing, on the same pool, from a full queue",
    )
    bursts, full, timed = [], [], []
    for number in range(bench.sizes.long_rounds):
        bench.say(f"burst {number + 1} of {bench.sizes.long_rounds}")
        with bench.site.at_rest(), cpu_taken(bench.celery_floor.pids()) as taken:
            full.append(_rate(bench.celery_floor.run_full_queue(count, 60)))
        row.cpu_ms["floor"] = {name: seconds * 1000 / count for name, seconds in taken.items()}
        with bench.site.at_rest():
            timed.append(_timed_floor(bench, count))
        bursts.append(run_burst(bench, count))
    product = Spread(tuple(one.rate for one in bursts))
    row.figures += [
        Figure("slices recorded", "1/s", product, Spread(tuple(full)), Reach(Rule.TIMES_AT_LEAST, 0.35)),
        Figure("slices recorded, beside tasks with an eta on that instant", "1/s", product, Spread(tuple(timed))),
        Figure("from the instant until every order is done", "s", Spread(tuple(one.done_seconds for one in bursts))),
        Figure("CPU per slice, all processes", "ms", Spread(tuple(sum(one.cpu_ms.values()) for one in bursts))),
    ]
    row.cpu_ms["product"] = median_by_name([one.cpu_ms for one in bursts])
    row.notes.append("CPU of the product from the dispatch of the slices until their orders are done")
    _count_statements(bench, row)
    return row


def run_burst(bench: Bench, count: int) -> Burst:
    """Let so many slices come due at one instant and follow them to their end."""
    site = bench.site
    site.open_new_ledger()
    due = prepare(bench, count)
    with cpu_taken(site.pids()) as taken:
        time.sleep(max(due - time.time(), 0))
        recorded = wait_until_none(bench, _UNRECORDED)
        done = wait_until_none(bench, _UNFINISHED)
    _check_filled(bench, count)
    site.forget_orders()
    cpu_ms = {name: seconds * 1000 / count for name, seconds in taken.items()}
    return Burst(count, recorded - due, done - due, cpu_ms)


def prepare(bench: Bench, count: int) -> float:
    """Accept and split orders, then move all their slices to one instant; that instant, seconds since the epoch."""
    orders = count // SLICES_PER_ORDER
    load_orders(
        bench.site.gapi_port, bench.tokens, 4, 60, most=orders, num_splits=SLICES_PER_ORDER, start_at=tomorrow()
    )
    wait_until_none(bench, f"SELECT {count} - count(*) FROM order_slices")
    due = datetime.now(UTC) + timedelta(seconds=_LEAD_SECONDS)
    bench.site.ask("UPDATE order_slices SET scheduled_at = %s, due_at = %s", due, due)
    bench.site.ask("UPDATE orders SET start_at = %s, end_at = %s", due, due + timedelta(minutes=60))
    return due.timestamp()


def wait_until_none(bench: Bench, what_is_left: str) -> float:
    """The instant from which on this query counts nothing any more, in seconds since the epoch."""
    ends_at = time.monotonic() + _PATIENCE_SECONDS
    with closing(bench.site.connect()) as connection, connection.cursor() as cursor:
        while True:
            cursor.execute(what_is_left)
            (left,) = cursor.fetchone()
            if left == 0:
                return time.time()
            if time.monotonic() > ends_at:
                raise BenchError(f"{left} left after {_PATIENCE_SECONDS:.0f} s of: {what_is_left}")
            time.sleep(_POLL_SECONDS)


def _check_filled(bench: Bench, count: int) -> None:
    ((filled,),) = bench.site.ask("SELECT count(*) FROM order_slices WHERE status = 'FILLED' AND attempts = 1")
    if filled != count:
        raise BenchError(f"only {filled} of {count} slices were filled at the first attempt")


def _timed_floor(bench: Bench, count: int) -> float:
    due = time.time() + _LEAD_SECONDS
    starts = bench.celery_floor.run([(0.0, due)] * count, 60)
    return count / (max(one.at for one in starts) - due)


def _rate(starts: Sequence[Started]) -> float:
    first, last = min(one.at for one in starts), max(one.at for one in starts)
    return (len(starts) - 1) / (last - first)


def _count_statements(bench: Bench, row: Row) -> None:
    """In a burst of its own: what counting costs is in no other figure."""
    count = bench.sizes.counted_slices
    bench.site.open_new_ledger()
    due = prepare(bench, count)
    with counted(bench.site) as statements:
        time.sleep(max(due - time.time(), 0))
        wait_until_none(bench, _UNRECORDED)
    wait_until_none(bench, _UNFINISHED)
    bench.site.forget_orders()
    row.details["statements per slice until recorded"] = statements.per(count)
    row.notes.append(_told(statements, count))


def _told(statements: Statements, count: int) -> str:
    return (
        f"{statements.total / count:.1f} statements and {statements.transactions / count:.1f} more that commit, for "
        "each slice until it is recorded, counted by pg_stat_statements in a burst of its own, sweeps included"
    )
