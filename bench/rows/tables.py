"""What full tables cost: every sweep, the due query, the workers' memory, a page of orders."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.children import ROOT, BenchError
from bench.clients import Client
from bench.context import Bench
from bench.cpu import own_bytes
from bench.figures import Figure, Reach, Row, Rule, quantiles, single
from bench.fill import fill_tables
from bench.stack import FRONT, Site
from bench.sweep_timer import DUE_QUERY
from pulse_core.sweeps import SWEEPS
from pulse_ops.stack import processes

FEW = 1000
PAGE = "a page of 20 orders"
_PATH = "/api/orders?limit=20"
_WORKERS = (processes.WORKER_SLICES, processes.WORKER_CONTROL)
# A shared machine only ever adds to a time: the quicker calls say more than the others.
_QUICKER = 0.25

Asked = subprocess.Popen[str]


@dataclass
class Filled:
    """A site with tables of one size, and the milliseconds of each call there, a list for each round."""

    site: Site
    client: Client
    times: dict[str, list[list[float]]] = field(default_factory=dict)
    megabytes: dict[str, float] = field(default_factory=dict)


def measure(bench: Bench) -> Row:
    many = bench.sizes.table_rows
    row = Row(
        "tables",
        f"{many:,} scheduled and {many:,} finished slices in the tables",
        operation="-",
        floor=f"the same with {FEW:,} and {FEW:,}",
    )
    with bench.site.at_rest():
        few, full = _filled(bench, "few", 1, FEW), _filled(bench, "full", 2, many)
        with timer(few.site) as few_timer, timer(full.site) as full_timer:
            for number in range(bench.sizes.long_rounds):
                bench.say(f"sweeps and pages, round {number + 1} of {bench.sizes.long_rounds}")
                _time_in_turns(bench, (few, few_timer), (full, full_timer))
        _weigh_workers(bench, few, full)
        few.site.stop()
        full.site.stop()
    row.figures = _figures(few, full)
    row.notes += [
        f"sweeps are called in processes of their own, in turns; the time below which {_QUICKER:.0%} of the calls stay",
        f"memory that is the workers' own, {bench.sizes.settle_seconds} s after their start",
        f"finished slices have a placement, a fill and one event each; the page is GET {_PATH}",
    ]
    return row


def _filled(bench: Bench, name: str, number: int, count: int) -> Filled:
    bench.say(f"filling tables with twice {count:,} slices")
    site = Site(bench.servers, bench.children, bench.folder / name, number, prefix=f"{name} ")
    site.start(FRONT)
    (token,) = site.log_in_new_accounts(1)
    fill_tables(site, count)
    return Filled(site, Client(site.gapi_port, token))


@contextmanager
def timer(site: Site, module: str = "bench.sweep_timer") -> Iterator[Asked]:
    """A process that times sweeps, or what this module times, on the site's database."""
    command = [sys.executable, "-m", module]
    environment, pipe = {**os.environ, **site.environment}, subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=environment, process_group=0
    ) as asked:
        try:
            yield asked
        finally:
            asked.kill()


def _time_in_turns(bench: Bench, *sides: tuple[Filled, Asked]) -> None:
    for name in (*SWEEPS, DUE_QUERY, PAGE):
        for filled, timer in sides:
            filled.times.setdefault(name, []).append([])
            _milliseconds(filled, timer, name)
        for _ in range(bench.sizes.sweep_runs):
            for filled, timer in sides:
                filled.times[name][-1].append(_milliseconds(filled, timer, name))


def _milliseconds(filled: Filled, timer: Asked, name: str) -> float:
    if name == PAGE:
        started = time.perf_counter()
        filled.client.ask("GET", _PATH)
        return (time.perf_counter() - started) * 1000
    return milliseconds(timer, name)


def milliseconds(asked: Asked, name: str) -> float:
    """How long what it was told to do just now took. Raises BenchError."""
    assert asked.stdin is not None
    assert asked.stdout is not None
    asked.stdin.write(name + "\n")
    asked.stdin.flush()
    answer = asked.stdout.readline()
    if not answer:
        raise BenchError(f"{name} could not be called")
    return float(answer)


def _weigh_workers(bench: Bench, *sides: Filled) -> None:
    bench.say("memory of the workers")
    started = (*_WORKERS, processes.BEAT)
    for one in sides:
        one.site.start(started)
    time.sleep(bench.sizes.settle_seconds)
    for one in sides:
        pids = one.site.pids()
        one.megabytes = {name: own_bytes(pids[name]) / 2**20 for name in _WORKERS}


def _figures(few: Filled, full: Filled) -> list[Figure]:
    twice, half_more, tenth_more = (Reach(Rule.TIMES_AT_MOST, number) for number in (2, 1.5, 1.1))
    figures = [
        Figure(
            name,
            "ms",
            quantiles(runs, _QUICKER),
            quantiles(few.times[name], _QUICKER),
            half_more if name == PAGE else twice,
        )
        for name, runs in full.times.items()
    ]
    figures += [
        Figure(f"memory of {name}", "MB", single(size), single(few.megabytes[name]), tenth_more)
        for name, size in full.megabytes.items()
    ]
    return figures
