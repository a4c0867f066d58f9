"""Many orders of two slices due at one instant: tracking and ending orders, which cost by order."""

from bench.context import Bench
from bench.figures import Figure, Row, Spread
from bench.rows.burst import FLOOR, RATE, Burst, FullQueue, checked, cpu_of, figures_of, full_queue, run_burst

_SLICES_PER_ORDER = 2


def measure(bench: Bench) -> Row:
    orders = bench.sizes.two_slice_orders
    row = Row(
        "many_orders",
        f"{orders:,} orders of {_SLICES_PER_ORDER} slices, all due at once, exchange limits off",
        operation="slice",
        floor=FLOOR,
    )
    bursts: list[Burst] = []
    full: list[FullQueue] = []
    for number in range(bench.sizes.long_rounds):
        bench.say(f"many orders, round {number + 1} of {bench.sizes.long_rounds}")
        full.append(full_queue(bench, orders * _SLICES_PER_ORDER))
        bursts.append(checked(run_burst(bench, orders, _SLICES_PER_ORDER)))
    row.figures += [
        Figure(RATE, "1/s", Spread(tuple(one.rate for one in bursts)), Spread(tuple(one.rate for one in full))),
        *figures_of(bursts, full),
    ]
    row.cpu_ms = cpu_of(bursts, full)
    return row
