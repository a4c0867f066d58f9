"""Times sweeps on one database: `python -m bench.sweep_timer`, with the product's variables.

For each name read from stdin it calls that sweep as the workers do, and writes how many milliseconds it took. DUE_QUERY
takes slices that come due, and puts them back.
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.events.deliverer import Deliverer
from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import Task
from pulse_core.trading.store import due_slices
from pulse_core.trading.tables import OrderSlice

DUE_QUERY = "the due query, for 500 slices"
_TAKEN = 500


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    for line in sys.stdin:
        print(_milliseconds(line.strip()), flush=True)


def _milliseconds(name: str) -> float:
    call = _CALLS[name]
    _horizon()
    started = time.perf_counter()
    call(utcnow())
    return (time.perf_counter() - started) * 1000


@cache
def _horizon() -> datetime:
    """Until when as many slices are due as the query takes at once."""
    rows = select(OrderSlice.due_at).where(OrderSlice.status == SliceStatus.SCHEDULED).order_by(OrderSlice.due_at)
    with Session(db.engine()) as session:
        return session.scalars(rows.offset(_TAKEN - 1).limit(1)).one()


def _take_due(now: datetime) -> None:
    with Session(db.engine()) as session:
        due_slices.take_due(session, "paper", _horizon(), now, _TAKEN)
        session.rollback()


_CALLS: Mapping[str, Callable[[datetime], object]] = {
    **{name: sweep.run for name, sweep in SWEEPS.items()},
    # Its sweep only starts a thread that does this.
    Task.DELIVER_WEBHOOKS: lambda now: Deliverer(lambda: now).run(),
    DUE_QUERY: _take_due,
}

if __name__ == "__main__":
    main()
