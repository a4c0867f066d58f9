"""How long the sweeps take, how often they fail, and how late they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from api_contract.metrics import Process, counter, family, histogram
from pulse_core.metrics import switch

SWEEP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BY = [Process.WORKER]

SECONDS = histogram("pulse_sweep_seconds", "Time that a run of a sweep took.", "sweep", by=BY, buckets=SWEEP_BUCKETS)
FAILURES = counter("pulse_sweep_failures", "Runs of a sweep that failed, or were put off.", "sweep", by=BY)
LAG = family(
    "pulse_sweep_lag_seconds",
    "Time since a sweep last began in this process, beyond its period; only where sweeps are run.",
    "sweep",
    by=BY,
)


@contextmanager
def measured(sweep: str) -> Iterator[None]:
    if not switch.is_on():
        yield
        return
    failures, started = FAILURES.labels(sweep), perf_counter()
    try:
        yield
    except Exception:
        failures.inc()
        raise
    finally:
        SECONDS.labels(sweep).observe(perf_counter() - started)
