"""A broker's day in a few minutes: what a slice costs in its first minute and in its last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bench.arrivals import Sent, fills_seen_ms, sent_slices
from bench.context import Bench
from bench.cpu import cpu_taken, per_operation
from bench.due import UNFINISHED, accept_and_split, bring_due, sleep_until, soon, wait_until_none
from bench.figures import Figure, Row, quantile, single
from bench.rows.steady import SEEN, control_megabytes
from bench.samples import queue_depth
from bench.stack import Site

RATE = 4
_ACCOUNTS = 8
_SLICES_PER_ORDER = 20
# Of the 5,000 orders that a broker takes of an account in a day one in twenty is left to cancels.
MOST = 4750
# Of a day that is shorter than three minutes a third is what begins and ends it.
_EDGE_SECONDS = 60.0
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Edge:
    """The beginning or the end of the day: CPU milliseconds of each of its slices, by process."""

    starts: datetime
    ends: datetime
    cpu_ms: dict[str, float]


def measure(bench: Bench) -> Row:
    minutes = bench.sizes.day_minutes
    row = Row(
        "day",
        f"{RATE} slices a second for {minutes:g} minutes, with the default limits",
        operation="slice",
        floor="the same slices in the day's beginning",
    )
    with bench.site_at_default_rate() as site:
        tokens = site.log_in_new_accounts(_ACCOUNTS)
        orders = min(round(RATE * minutes * 60), MOST) // _SLICES_PER_ORDER
        made = accept_and_split(site, tokens, orders, _SLICES_PER_ORDER, _ACCOUNTS)
        _follow(site, made, orders * _SLICES_PER_ORDER / RATE, row)
    return row


def _follow(site: Site, made: Sequence[str], seconds: float, row: Row) -> None:
    first = soon()
    bring_due(site, made, first, 1 / RATE)
    length = timedelta(seconds=min(_EDGE_SECONDS, seconds / 3))
    last = first + timedelta(seconds=seconds)
    before = control_megabytes(site)
    with queue_depth(site) as depth:
        beginning = _edge(site, first, first + length)
        end = _edge(site, last - length, last)
    wait_until_none(site, UNFINISHED, _PATIENCE_SECONDS)
    after = control_megabytes(site)
    sent, seen = sent_slices(site), fills_seen_ms(site)
    row.figures += [
        _beside("CPU per slice, all processes", sum(end.cpu_ms.values()), sum(beginning.cpu_ms.values())),
        _beside("lateness p50", quantile(_late(sent, end), 0.5), quantile(_late(sent, beginning), 0.5)),
        _beside("lateness p99", quantile(_late(sent, end), 0.99), quantile(_late(sent, beginning), 0.99)),
        Figure("lateness p99, whole day", "ms", single(quantile([one.late_ms for one in sent], 0.99))),
        Figure("slices early", "", single(float(sum(one.late_ms < 0 for one in sent)))),
        Figure("fill seen after p50, whole day", "ms", single(quantile(seen, 0.5))),
        Figure("fill seen after p99, whole day", "ms", single(quantile(seen, 0.99))),
        Figure("memory of the control worker", "MB", single(after), single(before)),
        Figure("messages in the queue or with workers, most", "", single(max(depth))),
    ]
    row.cpu_ms = {"at the end": end.cpu_ms, "at the beginning": beginning.cpu_ms}
    row.notes += [
        f"{len(sent):,} slices of {len(made)} orders; beginning and end are {length.total_seconds():.0f} s each",
        SEEN,
    ]


def _edge(site: Site, starts: datetime, ends: datetime) -> Edge:
    sleep_until(starts)
    with cpu_taken(site.pids()) as taken:
        sleep_until(ends)
    return Edge(starts, ends, per_operation(taken, round(RATE * (ends - starts).total_seconds())))


def _late(sent: Sequence[Sent], edge: Edge) -> list[float]:
    return [one.late_ms for one in sent if edge.starts <= one.scheduled_at < edge.ends]


def _beside(name: str, end: float, beginning: float) -> Figure:
    return Figure(f"{name}, in the day's end", "ms", single(end), single(beginning))
