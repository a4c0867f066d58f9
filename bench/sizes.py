"""How much is measured: in full, or quickly."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Counts, and durations in seconds, of every row. `rounds` is how often product and floor take turns.

    `steady_loads` are pairs of slices a second and rows of the day's book; `waiting` are slices that wait for a turn,
    `history_days` those of finished slices, `history_slices` in each, that are archived; `overload` are phases by name,
    slices a second and duration, `overload_rows` those of each account's book before.
    """

    last_row_begins_within: float
    rounds: int
    long_rounds: int
    load_seconds: float
    idle_seconds: int
    split_orders: int
    floor_tasks: int
    lateness_rounds: int
    lateness_seconds: int
    lateness_lead: int
    hang_seconds: int
    timed_slices: int
    burst_slices: int
    counted_slices: int
    two_slice_orders: int
    written_slices: int
    steady_loads: tuple[tuple[int, int], ...]
    steady_seconds: int
    set_slices: int
    waiting: tuple[int, ...]
    slice_workers: tuple[int, ...]
    day_minutes: float
    endurance_minutes: float
    history_days: int
    history_slices: int
    overload: tuple[tuple[str, int, float], ...]
    overload_rows: int
    listened_accounts: int
    table_rows: int
    sweep_runs: int
    settle_seconds: int
    split_load: int
    streams: int


_DAY_BOOK = 5000

FULL = Sizes(
    last_row_begins_within=float("inf"),
    rounds=5,
    long_rounds=3,
    load_seconds=6,
    idle_seconds=60,
    split_orders=100,
    floor_tasks=100,
    lateness_rounds=2,
    lateness_seconds=120,
    # Longer than PULSE_DISPATCH_HORIZON: every slice goes the way through beat.
    lateness_lead=13,
    hang_seconds=60,
    timed_slices=500,
    burst_slices=2000,
    counted_slices=400,
    two_slice_orders=1000,
    written_slices=2000,
    steady_loads=tuple((rate, rows) for rate in (10, 20, 50) for rows in (0, _DAY_BOOK)),
    steady_seconds=120,
    set_slices=2000,
    waiting=(200, 1000),
    slice_workers=(1, 2, 4),
    day_minutes=20,
    endurance_minutes=30,
    history_days=200,
    history_slices=5000,
    overload=(("before", 10, 20), ("overload", 90, 60), ("after", 10, 120)),
    overload_rows=4500,
    listened_accounts=40,
    table_rows=1_000_000,
    sweep_runs=30,
    settle_seconds=35,
    split_load=1000,
    streams=200,
)
QUICK = Sizes(
    last_row_begins_within=560,
    rounds=2,
    long_rounds=1,
    load_seconds=2,
    idle_seconds=10,
    split_orders=40,
    floor_tasks=40,
    lateness_rounds=1,
    lateness_seconds=10,
    lateness_lead=4,
    hang_seconds=15,
    timed_slices=150,
    burst_slices=2000,
    counted_slices=100,
    two_slice_orders=200,
    written_slices=400,
    steady_loads=((10, 0), (20, 0), (50, 0), (20, _DAY_BOOK)),
    steady_seconds=20,
    set_slices=500,
    waiting=(200,),
    slice_workers=(2, 4),
    day_minutes=1,
    endurance_minutes=1,
    history_days=10,
    history_slices=1000,
    overload=(("before", 10, 10), ("overload", 90, 10), ("after", 10, 30)),
    overload_rows=500,
    listened_accounts=8,
    table_rows=100_000,
    sweep_runs=10,
    settle_seconds=5,
    split_load=100,
    streams=200,
)
