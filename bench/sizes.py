"""How much is measured: in full, or quickly."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Counts, and durations in seconds, of every row. `rounds` is how often product and floor take turns."""

    last_row_begins_within: float
    rounds: int
    long_rounds: int
    load_seconds: float
    split_orders: int
    floor_tasks: int
    lateness_rounds: int
    lateness_seconds: int
    lateness_lead: int
    burst_slices: int
    counted_slices: int
    table_rows: int
    sweep_runs: int
    settle_seconds: int
    split_load: int
    streams: int


FULL = Sizes(
    last_row_begins_within=float("inf"),
    rounds=5,
    long_rounds=3,
    load_seconds=6,
    split_orders=100,
    floor_tasks=100,
    lateness_rounds=2,
    lateness_seconds=120,
    # Longer than PULSE_DISPATCH_HORIZON: every slice goes the way through beat.
    lateness_lead=13,
    burst_slices=2000,
    counted_slices=400,
    table_rows=1_000_000,
    sweep_runs=30,
    settle_seconds=35,
    split_load=1000,
    streams=200,
)
QUICK = Sizes(
    last_row_begins_within=130,
    rounds=2,
    long_rounds=1,
    load_seconds=2,
    split_orders=40,
    floor_tasks=40,
    lateness_rounds=1,
    lateness_seconds=10,
    lateness_lead=4,
    burst_slices=400,
    counted_slices=100,
    table_rows=100_000,
    sweep_runs=10,
    settle_seconds=5,
    split_load=100,
    streams=200,
)
