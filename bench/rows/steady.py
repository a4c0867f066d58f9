"""Slices that come due one after the other, from many orders: what each costs, and how soon its fill is seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bench.arrivals import Sent, fills_seen_ms, sent_slices
from bench.context import Bench
from bench.cpu import cpu_taken, own_bytes, per_operation
from bench.due import UNFINISHED, accept_and_split, bring_due, sleep_until, soon, wait_until_none
from bench.figures import Figure, Row, quantile, single
from bench.samples import queue_depth
from bench.stack import Site
from pulse_ops.stack import processes

SEEN = "a fill is seen when its row is committed, by Postgres; traded and arrived by the exchange's ledger"
_SLICES_PER_ORDER = 5
_CONNECTIONS = 8
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Steady:
    """One load: what became of its slices, and what the control worker held, in MB, before and after."""

    sent: Sequence[Sent]
    seen_ms: Sequence[float]
    cpu_ms: dict[str, float]
    control_before: float
    control_after: float
    queue: Sequence[float]


def measure(bench: Bench) -> Row:
    seconds = bench.sizes.steady_seconds
    row = Row(
        "steady",
        f"Slices of many orders, evenly spaced for {seconds} s, limits off, with a day's book of the exchange",
        operation="slice",
        floor="none",
    )
    for rate, rows in bench.sizes.steady_loads:
        case = f"{rate}/s, {rows:,} rows"
        bench.say(f"steady, {case}")
        steady = _load(bench, rate, rows)
        row.figures += figures_of(case, steady)
        row.cpu_ms[case] = steady.cpu_ms
    row.notes += [
        f"orders of {_SLICES_PER_ORDER} slices, each spread over the whole time; CPU until all of them are done",
        "rows: orders that stood filled in the exchange's book before, none of them ours",
        SEEN,
    ]
    return row


def figures_of(case: str, steady: Steady) -> list[Figure]:
    """One line for each figure of a load."""
    late = [one.late_ms for one in steady.sent]
    values = [
        ("CPU per slice, all processes", "ms", sum(steady.cpu_ms.values())),
        ("lateness p50", "ms", quantile(late, 0.5)),
        ("lateness p99", "ms", quantile(late, 0.99)),
        ("slices early", "", float(sum(one < 0 for one in late))),
        ("fill seen after p50", "ms", quantile(steady.seen_ms, 0.5)),
        ("fill seen after p99", "ms", quantile(steady.seen_ms, 0.99)),
        ("memory of the control worker, before", "MB", steady.control_before),
        ("memory of the control worker, after", "MB", steady.control_after),
        ("messages in the queue or with workers, p50", "", quantile(steady.queue, 0.5)),
        ("messages in the queue or with workers, most", "", max(steady.queue)),
    ]
    return [Figure(f"{case}: {name}", unit, single(value)) for name, unit, value in values]


def control_megabytes(site: Site) -> float:
    return own_bytes(site.pids()[processes.WORKER_CONTROL]) / 2**20


def _load(bench: Bench, rate: int, rows: int) -> Steady:
    site, seconds = bench.site, bench.sizes.steady_seconds
    site.open_new_ledger(rows)
    orders = rate * seconds // _SLICES_PER_ORDER
    made = accept_and_split(site, bench.tokens, orders, _SLICES_PER_ORDER, _CONNECTIONS)
    first = soon()
    bring_due(site, made, first, 1 / rate)
    before = control_megabytes(site)
    sleep_until(first)
    with cpu_taken(site.pids()) as taken, queue_depth(site) as depth:
        sleep_until(first + timedelta(seconds=seconds))
        wait_until_none(site, UNFINISHED, _PATIENCE_SECONDS)
    sent, seen = sent_slices(site), fills_seen_ms(site)
    after = control_megabytes(site)
    site.forget_orders()
    return Steady(sent, seen, per_operation(taken, len(sent)), before, after, depth)
