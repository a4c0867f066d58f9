"""A history that is moved to the archive."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

import psycopg2

from bench.year_rows import LATEST, SLICES_PER_ORDER
from pulse_core import migrations
from pulse_ops.archive import archiving
from pulse_ops.archive.archiving import Whose
from pulse_ops.archive.rows import TRADING


@dataclass(frozen=True)
class ArchivedDay:
    """A day of a history: how many orders it had, and when it was moved."""

    orders: int
    at: datetime

    @property
    def slices(self) -> int:
        return self.orders * SLICES_PER_ORDER


def archive_all_but_the_last_day(
    database_url: str, archive: Path, now: datetime, rest: int = 0, is_over: Callable[[], bool] = lambda: False
) -> list[ArchivedDay]:
    """Move the days of a history as `year_rows` makes it, resting as `Pace` has it.

    A day that ends when it is over is the last one, and not counted. The URL is that of a superuser.
    """
    before = now.date() - timedelta(days=LATEST)
    whose = Whose(migrations.head(), "bench")
    with closing(psycopg2.connect(database_url, connect_timeout=5)) as connection:
        days = archiving.archive_days(connection, TRADING, archive, before, whose, rest=rest)
        moved = (ArchivedDay(day.owners, datetime.now(UTC)) for day in days)
        return list(takewhile(lambda _day: not is_over(), moved))
