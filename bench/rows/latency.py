"""How long a client waits for the answer to an order."""

from bench.context import Bench
from bench.figures import Figure, Reach, Row, Rule, Spread, quantiles
from bench.rows.accept import BESIDE_KEPT, Load, in_turns

CLIENTS = 8


def measure(bench: Bench) -> Row:
    row = Row(
        "latency",
        f"Latency of POST /api/orders, {CLIENTS} clients",
        operation="request",
        floor="the same two bare Flask apps",
    )
    with bench.site.at_rest():
        sides = in_turns(bench, CLIENTS)
    for name, part, most in (("p50", 0.5, 2), ("p99", 0.99, 3)):
        mine, reach = waits(sides.product, part), Reach(Rule.TIMES_AT_MOST, most)
        row.figures.append(Figure(name, "ms", mine, waits(sides.floor, part), reach))
        row.figures.append(Figure(f"{name}, {BESIDE_KEPT}", "ms", mine, waits(sides.kept, part)))
    row.cpu_ms = sides.cpu_ms()
    return row


def waits(loads: list[Load], part: float) -> Spread:
    """Milliseconds within which this part of the answers came, for each load."""
    return quantiles([[one * 1000 for one in load.seen.latencies] for load in loads], part)
