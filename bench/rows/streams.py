"""What open event streams cost an order, and the gateway's memory."""

import time

import psutil

from bench.children import BenchError
from bench.context import Bench
from bench.cpu import family, own_bytes
from bench.figures import Figure, Reach, Row, Rule, Spread
from bench.holders import STREAMS, held
from bench.rows.accept import Load, cpu_of
from bench.rows.latency import CLIENTS, waits
from bench.stack import Site
from bench.stream_holder import HolderSpec
from pulse_ops.stack import processes

# As many as gapi allows.
PER_ACCOUNT = 5
_SLOW_PART = 0.1
_CLOSED_SECONDS = 60.0


def measure(bench: Bench) -> Row:
    count = bench.sizes.streams
    slow = int(count * _SLOW_PART)
    row = Row(
        "streams",
        f"Latency of POST /api/orders with {count} open event streams, {CLIENTS} clients",
        operation="order",
        floor="the same with none open",
    )
    tokens = bench.site.log_in_new_accounts(count // PER_ACCOUNT)
    holders = [token for token in tokens for _ in range(PER_ACCOUNT)]
    # Those who trade are those who listen; the slow ones are among them.
    without, with_streams, memory = [], [], []
    with bench.site.at_rest():
        gapi = bench.site.pids()[processes.GAPI]
        _place(bench, tokens)
        for number in range(bench.sizes.long_rounds):
            bench.say(f"streams, round {number + 1}")
            without.append(_place(bench, tokens))
            before = own_bytes(gapi)
            with held(STREAMS, HolderSpec(bench.site.gapi_port, holders, slow)):
                memory.append((own_bytes(gapi) - before) / 1024 / count)
                with_streams.append(_place(bench, tokens))
            wait_until_closed(bench.site)
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        reach = Reach(Rule.TIMES_AT_MOST, 1.2)
        row.figures.append(Figure(name, "ms", waits(with_streams, part), waits(without, part), reach))
    row.figures.append(Figure("memory of gapi for each stream", "KB", Spread(tuple(memory))))
    row.cpu_ms = {f"with {count} streams": cpu_of(with_streams), "with none": cpu_of(without)}
    row.notes.append(f"{slow} of the streams are never read; {PER_ACCOUNT} for each account, all of which place orders")
    return row


def _place(bench: Bench, tokens: list[str]) -> Load:
    load = Load(bench, bench.site.gapi_port, bench.site.pids(), CLIENTS, tokens=tokens)
    bench.site.forget_orders()
    return load


def wait_until_closed(site: Site) -> None:
    """The gateway notices that a client has gone when it next writes to it."""
    ends_at = time.monotonic() + _CLOSED_SECONDS
    while left := _left_behind(site):
        if time.monotonic() > ends_at:
            raise BenchError(f"{left} connections are left after the streams were closed")
        time.sleep(0.5)


def _left_behind(site: Site) -> int:
    """Connections whose client has closed them, and the gateway not yet."""
    open_here = (one for process in family(site.pids()[processes.GAPI]) for one in process.net_connections("tcp"))
    return sum(one.status == psutil.CONN_CLOSE_WAIT and one.laddr.port == site.gapi_port for one in open_here)
