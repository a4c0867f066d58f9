"""Places slices one by one: `python -m bench.slice_timer`, with the product's variables.

For each line read from stdin, how it is counted and the id of a due slice, it places that slice as a worker does, and
writes how many milliseconds of CPU this process took for it.
"""

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from unittest.mock import patch

import structlog

from bench.children import BenchError
from pulse_core import brokers
from pulse_core.brokers.port import Broker
from pulse_core.metrics import switch
from pulse_core.metrics.broker_calls import Measured
from pulse_core.trading.slice.execute import execute_slice


class Counting(StrEnum):
    """Whether what is done is counted. One of the two ways without it stands for the error of the measure."""

    ON = "on"
    OFF = "off"
    OFF_AGAIN = "off-again"


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    switch.turn_on()
    for line in sys.stdin:
        counting, slice_id = line.split()
        print(milliseconds(Counting(counting), slice_id), flush=True)


def milliseconds(counting: Counting, slice_id: str) -> float:
    """The CPU, of all threads, that placing the slice took. Raises BenchError when it is not placed."""
    with nullcontext() if counting is Counting.ON else _uncounted():
        started = time.process_time()
        made = execute_slice(slice_id)
        taken = time.process_time() - started
    if made is None or made.outcome.broker_order_id is None:
        raise BenchError(f"{slice_id} was not placed: {made}")
    return taken * 1000


@contextmanager
def _uncounted() -> Iterator[None]:
    """The switch is off, as if it had been when the brokers were connected."""
    connected = brokers.reachable

    def reachable() -> Sequence[Broker]:
        return [one.unmeasured if isinstance(one, Measured) else one for one in connected()]

    with patch.object(switch, "is_on", lambda: False), patch.object(brokers, "reachable", reachable):
        yield


if __name__ == "__main__":
    main()
