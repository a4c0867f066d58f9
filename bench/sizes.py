"""How much is measured: in full, or quickly."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Counts, and durations in seconds, of every row. `rounds` is how often product and floor take turns."""

    rounds: int
    long_rounds: int
    load_seconds: float
    split_orders: int
    floor_tasks: int
    lateness_seconds: int
    burst_slices: int
    counted_slices: int
    table_rows: int
    sweep_runs: int
    split_load: int
    streams: int


FULL = Sizes(
    rounds=5,
    long_rounds=3,
    load_seconds=6,
    split_orders=100,
    floor_tasks=100,
    lateness_seconds=60,
    burst_slices=2000,
    counted_slices=400,
    table_rows=1_000_000,
    sweep_runs=30,
    split_load=1000,
    streams=200,
)
QUICK = Sizes(
    rounds=2,
    long_rounds=1,
    load_seconds=2.5,
    split_orders=40,
    floor_tasks=40,
    lateness_seconds=12,
    burst_slices=400,
    counted_slices=100,
    table_rows=100_000,
    sweep_runs=10,
    split_load=100,
    streams=200,
)
