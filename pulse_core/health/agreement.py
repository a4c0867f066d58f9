"""Whether all processes were given the same settings, as far as trading goes by them."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Connection, func, select

from pulse_core.health.tables import Process

# Longer than a process that lives is silent.
_ALIVE = timedelta(seconds=20)
_MOST_TOLD = 10


def differences(connection: Connection, ours: Mapping[str, str]) -> list[str]:
    """A clause for each setting that a process which lives has otherwise than `ours`."""
    columns = (Process.kind, Process.host, Process.pid, Process.shared_settings)
    lives = Process.ended_at.is_(None), Process.seen_at > func.clock_timestamp() - _ALIVE
    differs = Process.shared_settings.is_not(None), Process.shared_settings != ours
    rows = connection.execute(select(*columns).where(*lives, *differs).order_by(*columns[:3]).limit(_MOST_TOLD))
    told = [
        f"{variable} is {theirs[variable]} at {kind} (process {pid} on {host}), and {value} here"
        for kind, host, pid, theirs in rows
        for variable, value in ours.items()
        if theirs.get(variable, value) != value
    ]
    return told[:_MOST_TOLD]
