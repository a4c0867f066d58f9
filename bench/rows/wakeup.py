"""How long after its 202 an order has its slices, while nothing else happens."""

import time
from contextlib import closing
from typing import Any

from bench.children import BenchError
from bench.clients import Client, tomorrow
from bench.context import Bench
from bench.figures import Figure, Reach, Row, Rule, quantiles

_PAUSE_SECONDS = 0.1
_LOOK_EVERY_SECONDS = 0.002
_PATIENCE_SECONDS = 10.0
_PUBLISHER_STARTS_SECONDS = 3.0


def measure(bench: Bench) -> Row:
    row = Row(
        "wakeup",
        "From the 202 until the slices are in the database, idle system",
        operation="order",
        floor="a Celery task that does nothing, from publishing to its start, on the pool that places slices",
    )
    product, floor = [], []
    for _ in range(bench.sizes.long_rounds):
        with bench.site.at_rest():
            floor.append(_floor_delays(bench))
        product.append(_delays(bench))
        bench.site.forget_orders()
    for name, part, reach in (("p50", 0.5, None), ("p99", 0.99, Reach(Rule.ABOVE_AT_MOST, 100))):
        row.figures.append(Figure(name, "ms", quantiles(product, part), quantiles(floor, part), reach))
    row.notes.append(f"seen by looking into the table every {_LOOK_EVERY_SECONDS * 1000:.0f} ms")
    return row


def _delays(bench: Bench) -> list[float]:
    """Milliseconds from each answer to the slices' commit."""
    client = Client(bench.site.gapi_port, bench.tokens[0])
    delays = []
    with closing(bench.site.connect()) as connection, connection.cursor() as cursor:
        for _ in range(bench.sizes.split_orders):
            time.sleep(_PAUSE_SECONDS)
            order_id = client.place(start_at=tomorrow())
            answered = time.perf_counter()
            while not _is_split(cursor, order_id):
                if time.perf_counter() > answered + _PATIENCE_SECONDS:
                    raise BenchError(f"an order was not split within {_PATIENCE_SECONDS:.0f} s")
                time.sleep(_LOOK_EVERY_SECONDS)
            delays.append((time.perf_counter() - answered) * 1000)
    return delays


def _is_split(cursor: Any, order_id: str) -> bool:
    cursor.execute("SELECT 1 FROM order_slices WHERE order_id = %s LIMIT 1", (order_id,))
    return cursor.fetchone() is not None


def _floor_delays(bench: Bench) -> list[float]:
    first = time.time() + _PUBLISHER_STARTS_SECONDS
    plan = [(first + number * _PAUSE_SECONDS, None) for number in range(bench.sizes.floor_tasks)]
    return [one.delay_ms for one in bench.celery_floor.run(plan, 60)]
