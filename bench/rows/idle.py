"""What the whole stack takes while nothing happens."""

import time
from collections.abc import Iterable

from bench.context import Bench
from bench.cpu import cpu_taken, memory_of
from bench.figures import Figure, Row, Spread, median_by_name, single
from bench.written import written

_MEGABYTE = 2**20


def measure(bench: Bench) -> Row:
    seconds, site = bench.sizes.idle_seconds, bench.site
    row = Row(
        "idle",
        f"The whole stack for {seconds} s in which nobody asks for anything, no order live",
        operation="second",
        floor="none",
    )
    site.forget_orders()
    time.sleep(bench.sizes.settle_seconds)
    costs, wal = [], []
    for _ in range(bench.sizes.long_rounds):
        with cpu_taken(site.pids()) as taken, written(site) as wrote:
            time.sleep(seconds)
        costs.append({name: spent * 1000 / seconds for name, spent in taken.items()})
        wal.append(wrote.wal_bytes / 1000 / seconds)
    memory = {name: memory_of(pid) for name, pid in site.pids().items()}
    row.figures += [
        Figure("cores used", "", Spread(tuple(sum(one.values()) / 1000 for one in costs))),
        Figure("WAL a second", "kB", Spread(tuple(wal))),
        Figure("memory, what is shared divided", "MB", single(_megabytes(one.proportional for one in memory.values()))),
        Figure("memory, what nobody shares", "MB", single(_megabytes(one.own for one in memory.values()))),
    ]
    row.figures += [
        Figure(f"memory of {name}, what nobody shares", "MB", single(one.own / _MEGABYTE))
        for name, one in sorted(memory.items(), key=lambda item: -item[1].own)
    ]
    row.cpu_ms = {"product": median_by_name(costs)}
    row.notes.append(f"from {bench.sizes.settle_seconds} s after the row began; Postgres with all its backends")
    return row


def _megabytes(sizes: Iterable[int]) -> float:
    return sum(sizes) / _MEGABYTE
