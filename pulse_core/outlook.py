"""Which sweeps may find something now, by one look at the database.

Most of the time most sweeps find nothing, and each of them costs a message, a task and a query to learn it.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta

from sqlalchemy import Interval, String

from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.postgres import sql
from pulse_core.postgres.prepared import prepared
from pulse_core.tasks import PERIODS, Task
from pulse_core.trading.store.day_used import least_id
from pulse_core.trading.store.prices import ARRIVING

# The sweeps go by an estimate of the database's clock.
MARGIN = timedelta(seconds=1)

# What each column of the look stands for.
TOLD_BY: Mapping[str, Collection[Task]] = {
    "is_due": (Task.DISPATCH_DUE_SLICES,),
    "is_expired": (Task.EXPIRE_CLAIMS,),
    "is_unknown": (Task.RESOLVE_SLICES,),
    "is_working": (Task.TRACK_SLICES, Task.CANCEL_SLICES, Task.END_DAY),
    "is_unsplit": (Task.SPLIT_FORGOTTEN_ORDERS,),
    "is_to_replan": (Task.REPLAN_ORDERS,),
    "is_live": (Task.FINISH_ORDERS,),
    "is_paused": (Task.END_FORGOTTEN_PAUSES,),
    "is_held": (Task.RECHECK_HOLDS, Task.RECHECK_MONEY),
    "is_halted": (Task.WATCH_HALTS, Task.RECHECK_HOLDS),
    "is_alarmed": (Task.RESOLVE_ALARMS,),
    "has_webhooks": (Task.DELIVER_WEBHOOKS,),
    "is_ending": (Task.WATCH_LOGINS,),
    "is_priced": (Task.READ_PRICES,),
}
# These look at more than rows.
ALWAYS = frozenset(PERIODS) - {task for tasks in TOLD_BY.values() for task in tasks}


def sweeps_with_work() -> frozenset[Task]:
    """The sweeps that may find something now. Raises DatabaseUnavailable."""
    horizon = timedelta(seconds=settings().dispatch_horizon) + MARGIN
    with db.statement() as connection:
        asked = {"horizon": horizon, "margin": MARGIN, "least_id": least_id(utcnow() - ARRIVING)}
        seen = connection.execute(_LOOK, asked).mappings().one()
    return ALWAYS.union(*(tasks for column, tasks in TOLD_BY.items() if seen[column]))


_BINDS: sql.Types = {"horizon": Interval(), "margin": Interval(), "least_id": String()}
_LOOK = sql.load(__package__, "outlook", _BINDS).execution_options(**prepared("outlook"))
