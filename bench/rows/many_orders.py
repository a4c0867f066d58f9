"""Many orders of two slices due at one instant: tracking and ending orders, which cost by order."""

from bench.context import Bench
from bench.figures import Figure, Row, Spread, median_by_name
from bench.rows.burst import FLOOR, RATE, checked, figures_of, full_queue, run_burst

_SLICES_PER_ORDER = 2


def measure(bench: Bench) -> Row:
    orders = bench.sizes.two_slice_orders
    row = Row(
        "many_orders",
        f"{orders:,} orders of {_SLICES_PER_ORDER} slices, all due at once, exchange limits off",
        operation="slice",
        floor=FLOOR,
    )
    bursts, full = [], []
    for number in range(bench.sizes.long_rounds):
        bench.say(f"many orders, round {number + 1} of {bench.sizes.long_rounds}")
        rate, row.cpu_ms["floor"] = full_queue(bench, orders * _SLICES_PER_ORDER)
        full.append(rate)
        bursts.append(checked(run_burst(bench, orders, _SLICES_PER_ORDER)))
    row.figures += [
        Figure(RATE, "1/s", Spread(tuple(one.rate for one in bursts)), Spread(tuple(full))),
        *figures_of(bursts),
    ]
    row.cpu_ms["product"] = median_by_name([one.cpu_ms for one in bursts])
    return row
