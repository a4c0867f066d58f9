"""Busy desks for half an hour, beside a history that is archived meanwhile: what grows, and what gets later."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from threading import Event

from bench import desks, year_rows
from bench.archived import ArchivedDay, archive_all_but_the_last_day
from bench.arrivals import Seen, Sent, fills_seen, sent_slices
from bench.context import Bench
from bench.cpu import cpu_taken, own_bytes, per_operation
from bench.due import UNFINISHED, accept_and_split, bring_due, sleep_until, soon, wait_until_none
from bench.figures import Figure, Row, quantile, single
from bench.rows.day import MOST
from bench.rows.steady import SEEN
from bench.samples import queue_depth
from bench.stack import Site
from bench.year_rows import TABLES, History
from pulse_ops.archive.archiving import REST
from pulse_ops.stack import processes

RATE = 30
PARTS = 6
# The history is archived from the beginning of this part on.
ARCHIVED_FROM = 2
_SLICES_PER_ORDER = 20
_TRADERS = 8
_PATIENCE_SECONDS = 300.0
_WEIGHED = (processes.PULSE, processes.GAPI, processes.WORKER_SLICES, processes.WORKER_CONTROL, processes.BEAT)
_DEAD = "SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables WHERE relname = ANY(%s)"


@dataclass(frozen=True)
class Part:
    """A part of the time, and what was seen at its end: CPU milliseconds for a slice, MB of each process."""

    starts: datetime
    ends: datetime
    cpu_ms: dict[str, float]
    megabytes: dict[str, float]
    queue: Sequence[float]
    dead_rows: float
    tables_megabytes: float


def measure(bench: Bench) -> Row:
    sizes = bench.sizes
    history = History(sizes.history_days, sizes.history_slices)
    orders = round(RATE * sizes.endurance_minutes * 60) // _SLICES_PER_ORDER
    accounts = desks.names_of(ceil(orders * _SLICES_PER_ORDER / MOST))
    row = Row(
        "endurance",
        f"{RATE} slices a second of {len(accounts)} broker accounts for {sizes.endurance_minutes:g} minutes, limits"
        f" off, beside {history.days * history.slices_a_day:,} finished slices that are archived but for their last"
        " day",
        operation="slice",
        floor="the first of the parts",
    )
    with desks.site(bench, "endurance", accounts, lambda site: _fill(bench, site, history)) as site:
        tokens = site.log_in_new_accounts(_TRADERS)
        bench.say(f"accepting {orders:,} orders")
        each = [{"broker_account": name, "instrument": desks.INSTRUMENT} for name in accounts]
        made = accept_and_split(site, tokens, orders, _SLICES_PER_ORDER, max(_TRADERS, len(accounts)), each)
        seconds = orders * _SLICES_PER_ORDER / RATE
        parts, days = _follow(bench, site, made, seconds)
        sent, seen = sent_slices(site, of=made), fills_seen(site, made)
    row.figures = figures(parts, sent, seen, days)
    row.cpu_ms = {"in the last part": parts[-1].cpu_ms, "in the first": parts[0].cpu_ms}
    row.notes += [
        f"{len(sent):,} slices of {len(made):,} orders; each part has {(parts[0].ends - parts[0].starts).seconds} s",
        archiving_note(parts, days),
        "CPU of Postgres has that of archiving, too; autovacuum is as it comes",
        SEEN,
    ]
    return row


def _fill(bench: Bench, site: Site, history: History) -> None:
    bench.say(f"filling the tables with {history.days} days of {history.slices_a_day:,} slices")
    year_rows.fill(site.database_url, history)


def _follow(bench: Bench, site: Site, made: Sequence[str], seconds: float) -> tuple[list[Part], list[ArchivedDay]]:
    first, length = soon(), timedelta(seconds=seconds / PARTS)
    bring_due(site, made, first, 1 / RATE)
    parts: list[Part] = []
    is_over = Event()
    with ThreadPoolExecutor(1, "archiving") as beside:
        archiving: Future[list[ArchivedDay]] | None = None
        for number in range(PARTS):
            if number == ARCHIVED_FROM:
                archiving = beside.submit(_archive, site, bench.folder / "archive", is_over)
            bench.say(f"part {number + 1} of {PARTS}")
            parts.append(_part(bench, site, first + number * length, first + (number + 1) * length))
        is_over.set()
        assert archiving is not None
        found = archiving.result()
    wait_until_none(site, UNFINISHED, _PATIENCE_SECONDS)
    return parts, found


def _archive(site: Site, folder: Path, is_over: Event) -> list[ArchivedDay]:
    return archive_all_but_the_last_day(site.database_url, folder, datetime.now(UTC), REST, is_over.is_set)


def _part(bench: Bench, site: Site, starts: datetime, ends: datetime) -> Part:
    pids = site.pids() | bench.children.pids([desks.EXCHANGES])
    sleep_until(starts)
    # Later than the part does: the one before was weighed until now.
    began = time.time()
    with cpu_taken(pids) as taken, queue_depth(site) as depth:
        sleep_until(ends)
    came_due = round(RATE * (time.time() - began))
    ((dead,),) = site.ask(_DEAD, list(TABLES))
    return Part(
        starts,
        ends,
        per_operation(taken, came_due),
        {name: own_bytes(pids[name]) / 2**20 for name in _WEIGHED},
        depth,
        float(dead),
        sum(year_rows.megabytes(site.database_url).values()),
    )


def archiving_note(parts: Sequence[Part], days: Sequence[ArchivedDay]) -> str:
    """How many finished slices were archived beside trading, and in which time: all, or until it was over."""
    begins = parts[ARCHIVED_FROM].starts
    seconds = ((days[-1].at if days else parts[-1].ends) - begins).total_seconds()
    return (
        f"{sum(day.slices for day in days):,} finished slices were archived in {seconds:.0f} s from the beginning of"
        f" part {ARCHIVED_FROM + 1} on"
    )


def figures(
    parts: Sequence[Part], sent: Sequence[Sent], seen: Sequence[Seen], days: Sequence[ArchivedDay]
) -> list[Figure]:
    """The last part beside the first, then each part by itself."""
    told = [_told(part, sent, seen, days) for part in parts]
    whole = [
        Figure(f"{name}, in the last part", unit, single(told[-1][name, unit]), single(told[0][name, unit]))
        for name, unit in told[0]
    ]
    whole.append(Figure("slices early, all parts", "", single(_early([one.late_ms for one in sent]))))
    each = [
        Figure(f"part {number}: {name}", unit, single(value))
        for number, of_part in enumerate(told, 1)
        for (name, unit), value in of_part.items()
    ]
    return whole + each


def _told(
    part: Part, sent: Sequence[Sent], seen: Sequence[Seen], days: Sequence[ArchivedDay]
) -> dict[tuple[str, str], float]:
    """Each figure of a part, by its name and unit."""
    late = [one.late_ms for one in sent if part.starts <= one.scheduled_at < part.ends]
    fills = [one.after_ms for one in seen if part.starts <= one.traded_at < part.ends]
    return {
        ("CPU per slice, all processes", "ms"): sum(part.cpu_ms.values()),
        ("lateness p50", "ms"): quantile(late, 0.5),
        ("lateness p99", "ms"): quantile(late, 0.99),
        ("latest slice", "ms"): max(late),
        ("slices early", ""): _early(late),
        ("fill seen after p99", "ms"): quantile(fills, 0.99),
        ("messages in the queue or with workers, p50", ""): quantile(part.queue, 0.5),
        ("messages in the queue or with workers, most", ""): max(part.queue),
        **{(f"memory of {name}", "MB"): held for name, held in part.megabytes.items()},
        ("dead rows", ""): part.dead_rows,
        ("tables with their indexes", "MB"): part.tables_megabytes,
        ("finished slices archived", ""): float(sum(day.slices for day in days if part.starts <= day.at < part.ends)),
    }


def _early(late_ms: Sequence[float]) -> float:
    return float(sum(one < 0 for one in late_ms))
