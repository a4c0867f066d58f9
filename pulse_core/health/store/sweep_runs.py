"""One row for each sweep: its last run."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, case, func
from sqlalchemy.dialects.postgresql import insert

from pulse_core.health.tables import SweepRun


def note(connection: Connection, runs: Sequence[dict[str, Any]]) -> None:
    """Write down the last run of each of these sweeps, unless another process has noted a later one."""
    new = insert(SweepRun).values(list(runs))
    given: Any = new.excluded
    # A sweep that fails here and there in turn has been failing since the first of them.
    since = case(
        (given.failing_since.is_not(None), func.coalesce(SweepRun.failing_since, given.failing_since)), else_=None
    )
    others = ("started_at", "ended_at", "seconds", "found", "error_code", "error_message")
    connection.execute(
        new.on_conflict_do_update(
            index_elements=["sweep"],
            set_={name: given[name] for name in others} | {"failing_since": since},
            where=SweepRun.ended_at <= given.ended_at,
        )
    )
