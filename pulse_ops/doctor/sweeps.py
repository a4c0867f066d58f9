"""Whether the sweeps run in time, and what holds them up."""

from collections.abc import Iterator, Mapping
from typing import Any

from pulse_core.brokers.port import TOKEN_ENDED
from pulse_ops.doctor.findings import Finding, Trouble, fine, wrong

SHORTEST_PATIENCE = 30.0
PERIODS_OF_PATIENCE = 5
OF_THE_BROKER = "BROKER_"
TOKEN_DEAD = f"{OF_THE_BROKER}{TOKEN_ENDED}"

_RUNS = """
SELECT sweep, extract(epoch FROM clock_timestamp() - ended_at)::float8, seconds, error_code, error_message,
       extract(epoch FROM clock_timestamp() - failing_since)::float8, started_at > failing_since
  FROM sweep_runs
"""


def run_in_time(cursor: Any, periods: Mapping[str, float]) -> Iterator[Finding]:
    """Each sweep by its last run; `periods` says how often it is to run, in seconds."""
    cursor.execute(_RUNS)
    runs = {row[0]: row[1:] for row in cursor.fetchall()}
    late = [
        f"{sweep} ran last {runs[sweep][0]:.0f} s ago, for {runs[sweep][1]:.1f} s"
        for sweep, every in periods.items()
        if sweep in runs and runs[sweep][0] > max(SHORTEST_PATIENCE, PERIODS_OF_PATIENCE * every)
    ]
    if late:
        yield wrong("sweeps", Trouble.SWEEPS_LATE, "; ".join(late))
    elif runs:
        yield fine("sweeps", "run in time")
    # Once is an accident, which the next run mends.
    yield from _failing({sweep: run for sweep, run in runs.items() if run[5]})


def _failing(runs: Mapping[str, Any]) -> Iterator[Finding]:
    told = set()
    for sweep, (_, _, code, message, since, _) in sorted(runs.items()):
        trouble = _trouble(code)
        # The broker is away for all of them alike.
        if trouble is Trouble.SWEEP_FAILS or trouble not in told:
            told.add(trouble)
            check = "sweeps" if trouble is Trouble.SWEEP_FAILS else "broker"
            told_by = f"{code.removeprefix(OF_THE_BROKER)}, {message}"
            yield wrong(check, trouble, f"{told_by} ({sweep}, for {since:.0f} s)")


def _trouble(code: str) -> Trouble:
    if code == TOKEN_DEAD:
        return Trouble.BROKER_TOKEN_DEAD
    return Trouble.BROKER_AWAY if code.startswith(OF_THE_BROKER) else Trouble.SWEEP_FAILS
