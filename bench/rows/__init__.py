"""The rows of the benchmark, in the order in which they are measured."""

from collections.abc import Callable, Mapping

from bench.context import Bench
from bench.figures import Row
from bench.rows import accept, burst, latency, lateness, splitting, streams, tables, wakeup

ROWS: Mapping[str, Callable[[Bench], Row]] = {
    "accept": accept.measure,
    "latency": latency.measure,
    "wakeup": wakeup.measure,
    "lateness": lateness.measure,
    "burst": burst.measure,
    "splitting": splitting.measure,
    "streams": streams.measure,
    "tables": tables.measure,
}
