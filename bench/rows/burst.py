"""Many slices due at one instant: how fast they go out and are recorded, and what each one costs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.children import BenchError
from bench.context import Bench
from bench.cpu import cpu_taken, per_operation
from bench.due import (
    CONNECTIONS,
    LEAD_SECONDS,
    UNFINISHED,
    UNRECORDED,
    accept_and_split,
    bring_due,
    sleep_until,
    soon,
    wait_until_none,
)
from bench.figures import Figure, Reach, Row, Rule, Spread, median_by_name
from bench.floors import CeleryFloor, Started
from bench.stack import Site
from bench.statements import Statements, counted
from bench.written import written

SLICES_PER_ORDER = 100
FLOOR = "Celery tasks that do nothing, on the same pool, from a full queue"
RATE, CPU = "slices recorded", "CPU per slice, all processes"
# A thousand orders of two slices took three minutes to be done when this was written.
_PATIENCE_SECONDS = 400.0
_FLOOR_SECONDS = 60


@dataclass(frozen=True)
class Burst:
    """One instant's slices: seconds from it until they were recorded and until their orders were done.

    `due_at` is in seconds since the epoch. `cpu_ms`, by process, and `wal_bytes` are of each slice, until their orders
    were done. `repeated` were not filled at the first attempt.
    """

    slices: int
    due_at: float
    recorded_seconds: float
    done_seconds: float
    cpu_ms: dict[str, float]
    wal_bytes: float
    repeated: int

    @property
    def rate(self) -> float:
        return self.slices / self.recorded_seconds

    @property
    def total_cpu_ms(self) -> float:
        return sum(self.cpu_ms.values())


@dataclass(frozen=True)
class FullQueue:
    """The floor: its tasks a second, and the CPU milliseconds of each, by process."""

    rate: float
    cpu_ms: dict[str, float]


def measure(bench: Bench) -> Row:
    count = bench.sizes.burst_slices
    row = Row(
        "burst",
        f"{count:,} slices due at once, exchange limits off: until all are recorded",
        operation="slice",
        floor=FLOOR,
    )
    bursts: list[Burst] = []
    full: list[FullQueue] = []
    timed = []
    for number in range(bench.sizes.long_rounds):
        bench.say(f"burst {number + 1} of {bench.sizes.long_rounds}")
        full.append(full_queue(bench, count))
        with bench.site.at_rest():
            timed.append(_timed_floor(bench.celery_floor, count))
        bursts.append(checked(run_burst(bench, count // SLICES_PER_ORDER, SLICES_PER_ORDER)))
    product = Spread(tuple(one.rate for one in bursts))
    row.figures += [
        Figure(RATE, "1/s", product, Spread(tuple(one.rate for one in full)), Reach(Rule.TIMES_AT_LEAST, 0.35)),
        Figure("slices recorded, beside tasks with an eta on that instant", "1/s", product, Spread(tuple(timed))),
        *figures_of(bursts, full),
    ]
    row.cpu_ms = cpu_of(bursts, full)
    row.notes.append("CPU and WAL of the product from the dispatch of the slices until their orders are done")
    _count_statements(bench, row)
    return row


def figures_of(bursts: Sequence[Burst], full: Sequence[FullQueue]) -> list[Figure]:
    """What every burst has beside its rate."""
    floor = Spread(tuple(sum(one.cpu_ms.values()) for one in full))
    return [
        Figure(CPU, "ms", Spread(tuple(one.total_cpu_ms for one in bursts)), floor),
        Figure("WAL per slice", "kB", Spread(tuple(one.wal_bytes / 1000 for one in bursts))),
        Figure("from the instant until every order is done", "s", Spread(tuple(one.done_seconds for one in bursts))),
        Figure(
            "from the last record until the last order is done",
            "s",
            Spread(tuple(one.done_seconds - one.recorded_seconds for one in bursts)),
        ),
    ]


def cpu_of(bursts: Sequence[Burst], full: Sequence[FullQueue]) -> dict[str, dict[str, float]]:
    """By side and process."""
    return {
        "product": median_by_name([one.cpu_ms for one in bursts]),
        "floor": median_by_name([one.cpu_ms for one in full]),
    }


def run_burst(
    bench: Bench,
    orders: int,
    slices_per_order: int,
    *,
    tokens: Sequence[str] = (),
    finish: Callable[[], None] | None = None,
) -> Burst:
    """Let the slices of so many orders come due at one instant and follow them to their end.

    Each connection places for one of the `tokens`. `finish` waits for what else has to end: it counts as CPU and WAL.
    """
    site, count = bench.site, orders * slices_per_order
    site.open_new_ledger()
    due = prepare(bench, orders, slices_per_order, tokens)
    with cpu_taken(site.pids()) as taken, written(site) as wrote:
        sleep_until(due)
        recorded = wait_until_none(site, UNRECORDED, _PATIENCE_SECONDS)
        done = wait_until_none(site, UNFINISHED, _PATIENCE_SECONDS)
        if finish:
            finish()
    repeated = _repeated(site)
    site.forget_orders()
    instant, cpu_ms = due.timestamp(), per_operation(taken, count)
    return Burst(count, instant, recorded - instant, done - instant, cpu_ms, wrote.wal_bytes / count, repeated)


def prepare(bench: Bench, orders: int, slices_per_order: int, tokens: Sequence[str] = ()) -> datetime:
    """Accept and split orders, then move all their slices to one instant, which is returned."""
    connections = len(tokens) or CONNECTIONS
    made = accept_and_split(bench.site, tokens or bench.tokens, orders, slices_per_order, connections)
    due = soon()
    bring_due(bench.site, made, due)
    return due


def checked(burst: Burst) -> Burst:
    """The burst, whose slices were all filled at the first attempt. Raises BenchError."""
    if burst.repeated:
        raise BenchError(f"{burst.repeated} of {burst.slices} slices were not filled at the first attempt")
    return burst


def full_queue(bench: Bench, count: int) -> FullQueue:
    """So many tasks of the floor while the product rests."""
    with bench.site.at_rest(), cpu_taken(bench.celery_floor.pids()) as taken:
        rate = _rate(bench.celery_floor.run_full_queue(count, _FLOOR_SECONDS))
    return FullQueue(rate, per_operation(taken, count))


def _repeated(site: Site) -> int:
    found = site.ask("SELECT count(*) FROM order_slices WHERE NOT (status = 'FILLED' AND attempts = 1)")
    return int(found[0][0])


def _timed_floor(floor: CeleryFloor, count: int) -> float:
    due = time.time() + LEAD_SECONDS
    starts = floor.run([(0.0, due)] * count, _FLOOR_SECONDS)
    return count / (max(one.at for one in starts) - due)


def _rate(starts: Sequence[Started]) -> float:
    first, last = min(one.at for one in starts), max(one.at for one in starts)
    return (len(starts) - 1) / (last - first)


def _count_statements(bench: Bench, row: Row) -> None:
    """In a burst of its own: what counting costs is in no other figure."""
    site, count = bench.site, bench.sizes.counted_slices
    site.open_new_ledger()
    due = prepare(bench, count // SLICES_PER_ORDER, SLICES_PER_ORDER)
    with counted(site) as statements:
        sleep_until(due)
        wait_until_none(site, UNRECORDED)
    wait_until_none(site, UNFINISHED)
    site.forget_orders()
    row.details["statements per slice until recorded"] = statements.per(count)
    row.notes.append(_told(statements, count))


def _told(statements: Statements, count: int) -> str:
    return (
        f"{statements.total / count:.1f} statements and {statements.transactions / count:.1f} more that commit, for "
        "each slice until it is recorded, counted by pg_stat_statements in a burst of its own, sweeps included"
    )
