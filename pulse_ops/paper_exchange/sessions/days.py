"""Days without trade: weekends and fixed holidays by rule, the others by list."""

import csv
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from importlib import resources

_SATURDAY = 5
# Republic Day, Maharashtra Day, Independence Day, Gandhi Jayanti, Christmas: the others move, and are listed.
_EVERY_YEAR = frozenset({(1, 26), (5, 1), (8, 15), (10, 2), (12, 25)})
# The budget of 2026 was read on a Sunday.
_OPEN_ALL_THE_SAME = frozenset({date(2026, 2, 1)})


@cache
def holidays() -> Mapping[date, str]:
    """The days on which the exchange stays shut, with their names."""
    text = (resources.files(__package__) / "holidays.csv").read_text()
    return {date.fromisoformat(row["day"]): row["name"] for row in csv.DictReader(text.splitlines())}


def is_trading_day(day: date) -> bool:
    """Whether the exchange trades on this day."""
    if day in _OPEN_ALL_THE_SAME:
        return True
    return day.weekday() < _SATURDAY and (day.month, day.day) not in _EVERY_YEAR and day not in holidays()


def trading_day_until(day: date) -> date:
    """This day, or the last trading day before it."""
    while not is_trading_day(day):
        day -= timedelta(days=1)
    return day
