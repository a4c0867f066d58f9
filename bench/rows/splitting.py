"""What it takes to turn accepted orders into slices."""

import time
from contextlib import ExitStack

from bench.clients import load_orders, tomorrow
from bench.context import Bench
from bench.cpu import cpu_taken, per_operation
from bench.due import UNSPLIT, wait_until_none
from bench.figures import Figure, Reach, Row, Rule, Spread, median_by_name, significant, single
from bench.rows.burst import SLICES_PER_ORDER
from bench.statements import counted

_COUNTED_ORDERS = 10


def measure(bench: Bench) -> Row:
    orders = bench.sizes.split_load
    row = Row(
        "splitting",
        f"{orders:,} accepted orders of {SLICES_PER_ORDER} slices each: until all are split",
        operation="slice",
        floor="none",
    )
    rates, costs = [], []
    for _ in range(bench.sizes.long_rounds):
        rate, cpu_ms = _split(bench, orders)
        rates.append(rate)
        costs.append(cpu_ms)
    row.figures += [
        Figure("slices planned and stored", "1/s", Spread(tuple(rates))),
        Figure("CPU per slice, all processes", "ms", Spread(tuple(sum(one.values()) for one in costs))),
    ]
    row.cpu_ms["product"] = median_by_name(costs)
    _count_statements(bench, row)
    return row


def _split(bench: Bench, orders: int) -> tuple[float, dict[str, float]]:
    """Slices a second, and CPU milliseconds for each, once the workers wake up to a full queue."""
    with bench.site.at_rest():
        _accept(bench, orders)
    started = time.time()
    with cpu_taken(bench.site.pids()) as taken:
        ended = wait_until_none(bench.site, UNSPLIT)
    bench.site.forget_orders()
    slices = orders * SLICES_PER_ORDER
    return slices / (ended - started), per_operation(taken, slices)


def _accept(bench: Bench, orders: int) -> None:
    load_orders(
        bench.site.gapi_port, bench.tokens, 8, 120, most=orders, num_splits=SLICES_PER_ORDER, start_at=tomorrow()
    )


def _count_statements(bench: Bench, row: Row) -> None:
    with ExitStack() as rest:
        rest.enter_context(bench.site.at_rest())
        _accept(bench, _COUNTED_ORDERS)
        with counted(bench.site) as statements:
            rest.close()
            wait_until_none(bench.site, UNSPLIT)
    bench.site.forget_orders()
    inserts = statements.containing("INSERT INTO order_slices") / _COUNTED_ORDERS
    reach = Reach(Rule.AT_MOST, 2)
    row.figures.append(Figure("statements that insert 100 slices", "", single(inserts), None, reach))
    row.details["statements per order"] = statements.per(_COUNTED_ORDERS)
    row.notes.append(f"{significant(statements.total / _COUNTED_ORDERS):g} statements for each order, sweeps included")
