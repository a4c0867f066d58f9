"""The rows of the benchmark, in the order in which they are measured."""

from collections.abc import Callable, Mapping

from bench.context import Bench
from bench.figures import Row
from bench.rows import (
    accept,
    burst,
    day,
    default_rate,
    endurance,
    hanging,
    idle,
    latency,
    lateness,
    listeners,
    many_orders,
    metrics,
    overload,
    sets,
    splitting,
    steady,
    streams,
    tables,
    wakeup,
    writes,
)

ROWS: Mapping[str, Callable[[Bench], Row]] = {
    # First, while no process holds anything of a load before.
    "idle": idle.measure,
    "accept": accept.measure,
    "latency": latency.measure,
    "wakeup": wakeup.measure,
    "lateness": lateness.measure,
    "hanging": hanging.measure,
    "metrics": metrics.measure,
    "burst": burst.measure,
    "many_orders": many_orders.measure,
    "splitting": splitting.measure,
    "steady": steady.measure,
    "default_rate": default_rate.measure,
    "slice_workers": default_rate.measure_workers,
    "sets": sets.measure,
    "day": day.measure,
    "writes": writes.measure,
    "listeners": listeners.measure,
    "streams": streams.measure,
    "tables": tables.measure,
    "overload": overload.measure,
    "endurance": endurance.measure,
}
# Half an hour by itself: measured only where it is named.
ON_REQUEST = frozenset({"endurance"})
