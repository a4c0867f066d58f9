"""A history that is moved to the archive."""

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg2

from bench.year_rows import LATEST
from pulse_core import migrations
from pulse_ops.archive import archiving
from pulse_ops.archive.archiving import Whose
from pulse_ops.archive.rows import TRADING


@dataclass(frozen=True)
class Archiving:
    """How many orders were moved, and in how many seconds."""

    orders: int
    seconds: float


def archive_all_but_the_last_day(database_url: str, archive: Path, now: datetime) -> Archiving:
    """Move the days of a history as `year_rows` makes it. The URL is that of a superuser."""
    before = now.date() - timedelta(days=LATEST)
    whose = Whose(migrations.head(), "bench")
    started = time.monotonic()
    with closing(psycopg2.connect(database_url, connect_timeout=5)) as connection:
        done = list(archiving.archive_days(connection, TRADING, archive, before, whose))
    return Archiving(sum(one.owners for one in done), time.monotonic() - started)
