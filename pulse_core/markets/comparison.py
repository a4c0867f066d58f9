"""Where a calendar of ours and what somebody else says of the days ahead differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from pulse_core.markets.calendar import Calendar, NoCalendar, TradingDay

# From when until when a day is open, by the market's clock, as `09:30-16:00`.
Hours = str
CLOSED = "closed"


@dataclass(frozen=True)
class Difference:
    """A day of an exchange as we have it and as it was told: its hours, or that it is closed."""

    exchange: str
    day: date
    ours: Hours
    told: Hours


def differences(calendar: Calendar, told: Mapping[date, Hours], since: date, until: date) -> Iterator[Difference]:
    """The days that differ, as far as our calendar goes; what was `told` has the open days alone."""
    day = since
    while day <= until:
        try:
            ours = _hours(calendar, calendar.day(day))
        except NoCalendar:
            return
        theirs = told.get(day, CLOSED)
        if ours != theirs:
            yield Difference(calendar.exchange, day, ours, theirs)
        day += timedelta(days=1)


def _hours(calendar: Calendar, found: TradingDay) -> Hours:
    """From the first phase that takes orders to the end of the last one."""
    phases = [one for one in found.phases if one.takes]
    if not phases:
        return CLOSED
    zone = calendar.time_zone
    return f"{phases[0].opens.astimezone(zone):%H:%M}-{phases[-1].closes.astimezone(zone):%H:%M}"
