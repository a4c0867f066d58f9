"""Sets of workers on one Postgres: what a second and a fourth set bring, and what they take."""

from contextlib import nullcontext
from dataclasses import dataclass

from bench.context import Bench
from bench.figures import Figure, Row, single
from bench.rows.burst import CPU, RATE, Burst, run_burst
from bench.samples import connections
from pulse_ops.stack import processes

SETS = (1, 2, 4)
_SET = (processes.WORKER_SLICES, processes.WORKER_CONTROL)
_SLICES_PER_ORDER = 50
_REFUSED = ("too many clients", "remaining connection slots")


@dataclass(frozen=True)
class SetsRun:
    """A burst with so many sets: the most connections that stood at once, and how many were refused."""

    burst: Burst
    connections: float
    refused: int


def measure(bench: Bench) -> Row:
    count = bench.sizes.set_slices
    row = Row(
        "sets",
        f"{count:,} slices due at once, with 1, 2 and 4 sets of workers on one Postgres, exchange limits off",
        operation="slice",
        floor="the same with one set",
    )
    runs = {sets: _run(bench, sets, count) for sets in SETS}
    alone = runs[1].burst
    for sets, run in runs.items():
        name = f"{sets} set{'s' if sets > 1 else ''}"
        row.figures += [
            Figure(f"{name}: {RATE}", "1/s", single(run.burst.rate), single(alone.rate)),
            Figure(f"{name}: {CPU}", "ms", single(run.burst.total_cpu_ms), single(alone.total_cpu_ms)),
            Figure(
                f"{name}: until every order is done", "s", single(run.burst.done_seconds), single(alone.done_seconds)
            ),
            Figure(f"{name}: connections to Postgres, most", "", single(run.connections)),
            Figure(f"{name}: connections refused", "", single(float(run.refused))),
            Figure(f"{name}: slices not filled at the first attempt", "", single(float(run.burst.repeated))),
        ]
        row.cpu_ms[name] = run.burst.cpu_ms
    ((most,),) = bench.site.ask("SHOW max_connections")
    row.notes.append(
        f"a set is a worker for slices and one for the rest; beat is one; Postgres allows {most} connections"
    )
    return row


def _run(bench: Bench, sets: int, count: int) -> SetsRun:
    site = bench.site
    bench.say(f"{sets} sets of workers")
    with site.more_workers(_SET, sets - 1) if sets > 1 else nullcontext():
        before = _refused(bench)
        with connections(site) as held:
            burst = run_burst(bench, count // _SLICES_PER_ORDER, _SLICES_PER_ORDER)
        return SetsRun(burst, max(held), _refused(bench) - before)


def _refused(bench: Bench) -> int:
    """Connections that Postgres has refused so far, by its log."""
    lines = bench.children.log_of("postgres").read_text(errors="replace").splitlines()
    return sum("FATAL" in line and any(why in line for why in _REFUSED) for line in lines)
