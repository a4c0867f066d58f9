"""The days of the stock market as this wire tells them: its own list, and what a test says of single days."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
OPENS, CLOSES = time(9, 30), time(16, 0)
_SATURDAY = 5


@dataclass(frozen=True)
class OpenDay:
    """A day of trade, by the clock of New York."""

    day: date
    closes: time

    @property
    def opens(self) -> time:
        return OPENS


def open_days(since: date, until: date, stated: Mapping[date, time | None]) -> Iterator[OpenDay]:
    """The days of trade from one date to another; `stated` closes at another time, or all day."""
    exceptions = {**_exceptions(), **stated}
    day = since
    while day <= until:
        closes = exceptions.get(day, CLOSES if day.weekday() < _SATURDAY else None)
        if closes is not None:
            yield OpenDay(day, closes)
        day += timedelta(days=1)


@cache
def _exceptions() -> Mapping[date, time | None]:
    text = (resources.files(__package__) / "days.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {
        date.fromisoformat(row["day"]): time.fromisoformat(row["closes"]) if row["closes"] else None for row in rows
    }
