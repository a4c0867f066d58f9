"""How late slices arrive at the exchange under a steady load, and that none is early."""

import time
from datetime import UTC, datetime, timedelta

from bench.arrivals import sent_slices
from bench.clients import Client, instant
from bench.context import Bench
from bench.cpu import cpu_taken, per_operation
from bench.due import sleep_until
from bench.figures import Figure, Reach, Row, Rule, Spread, median_by_name, quantiles

RATE = 20
_ORDERS = 40
_WINDOW_MINUTES = 2
_WINDOW_SECONDS = 60 * _WINDOW_MINUTES
_SLICES_PER_ORDER = RATE * _WINDOW_SECONDS // _ORDERS
_HORIZON_SECONDS = 10.0
_LAST_ARRIVALS_SECONDS = 3.0


def measure(bench: Bench) -> Row:
    seconds = bench.sizes.lateness_seconds
    row = Row(
        "lateness",
        f"Lateness of a slice at the exchange, {RATE} slices a second for {seconds} s in each run, limits off",
        operation="slice",
        floor="Celery eta tasks that do nothing, on the same pool, due at the same rate",
    )
    product, floor, costs = [], [], []
    for number in range(bench.sizes.lateness_rounds):
        bench.say(f"lateness, round {number + 1} of {bench.sizes.lateness_rounds}")
        with bench.site.at_rest():
            floor.append(_floor_lateness(bench, seconds))
        lateness, cpu_ms = _lateness(bench, seconds)
        product.append(lateness)
        costs.append(cpu_ms)
    for name, part, reach in (
        ("p50", 0.5, Reach(Rule.AT_MOST, 20)),
        ("p99", 0.99, Reach(Rule.ABOVE_AT_MOST, 80)),
        ("latest", 1.0, None),
        ("earliest", 0.0, None),
    ):
        row.figures.append(Figure(name, "ms", quantiles(product, part), quantiles(floor, part), reach))
    early = Spread(tuple(float(sum(one < 0 for one in run)) for run in product))
    row.figures.append(Figure("slices early", "", early, None, Reach(Rule.AT_MOST, 0)))
    row.cpu_ms = {"product": median_by_name(costs)}
    row.notes.append(f"{len(product[0])} slices of {_ORDERS} orders in each run, randomized")
    return row


def _lateness(bench: Bench, seconds: int) -> tuple[list[float], dict[str, float]]:
    """Milliseconds from its time to its arrival of each slice, and the CPU milliseconds of each."""
    site = bench.site
    site.open_new_ledger()
    first = datetime.now(UTC) + timedelta(seconds=bench.sizes.lateness_lead)
    client = Client(site.gapi_port, bench.tokens[0])
    for number in range(_ORDERS):
        # Beginnings and ends lie apart as the slices in between do.
        shift = timedelta(seconds=number * _WINDOW_SECONDS / (_SLICES_PER_ORDER - 1) / _ORDERS)
        client.place(num_splits=_SLICES_PER_ORDER, duration_minutes=_WINDOW_MINUTES, start_at=instant(first + shift))
    sleep_until(first)
    with cpu_taken(site.pids()) as taken:
        time.sleep(seconds)
    time.sleep(_LAST_ARRIVALS_SECONDS)
    late = [one.late_ms for one in sent_slices(site, first + timedelta(seconds=seconds))]
    site.forget_orders()
    return late, per_operation(taken, len(late))


def _floor_lateness(bench: Bench, seconds: int) -> list[float]:
    first = time.time() + _HORIZON_SECONDS / 2
    dues = [first + number / RATE for number in range(seconds * RATE)]
    return [
        one.delay_ms for one in bench.celery_floor.run([(due - _HORIZON_SECONDS, due) for due in dues], seconds + 60)
    ]
