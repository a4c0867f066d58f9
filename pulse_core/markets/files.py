"""Read the calendars that come with this release: one file for a market and a year."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from api_contract.vocabulary import OrderType, Product
from pulse_core.markets.calendar import DayHours, MarketYear, PhaseHours, SpecialDay

_KEYS = {
    "market",
    "exchanges",
    "year",
    "time_zone",
    "currency",
    "dated",
    "valid_until",
    "source",
    "schedules",
    "cut_off_lead_minutes",
    "days",
}


@cache
def years() -> Mapping[str, Mapping[int, MarketYear]]:
    """Every year of every exchange that there is a file for. Raises ValueError for a file that is not as it must be."""
    found: dict[str, dict[int, MarketYear]] = {}
    for text in _texts():
        year = read(text)
        for exchange in year.exchanges:
            if found.setdefault(exchange, {}).setdefault(year.first_day.year, year) is not year:
                raise ValueError(f"two calendars state {exchange} in {year.first_day.year}")
    return found


def currency_of(instrument: str) -> str | None:
    """What the prices of an instrument are in; None for an exchange that there is no calendar of."""
    found = years().get(instrument.partition(":")[0])
    return None if found is None else found[max(found)].currency


def date_there(instrument: str, instant: datetime) -> date:
    """The date where an instrument is traded; in UTC for an exchange that there is no calendar of."""
    found = years().get(instrument.partition(":")[0])
    return instant.astimezone(UTC if found is None else found[max(found)].time_zone).date()


def read(text: str) -> MarketYear:
    """The year that a file states. Raises ValueError with what is wrong with it."""
    stated = yaml.safe_load(text)
    if not isinstance(stated, dict) or stated.keys() != _KEYS:
        raise ValueError(f"a calendar states {', '.join(sorted(_KEYS))}, and nothing else")
    lead = timedelta(minutes=stated["cut_off_lead_minutes"])
    year = MarketYear(
        exchanges=tuple(stated["exchanges"]),
        time_zone=ZoneInfo(stated["time_zone"]),
        currency=stated["currency"],
        first_day=date(stated["year"], 1, 1),
        valid_until=stated["valid_until"],
        dated=stated["dated"],
        source=stated["source"],
        schedules=[(one["from"], day_hours(one["phases"], one["cut_offs"], lead)) for one in stated["schedules"]],
        days={day: _special_day(one, lead) for day, one in stated["days"].items()},
    )
    _check(year)
    return year


def day_hours(phases: Collection[Mapping[str, Any]], cut_offs: Mapping[str, str], lead: timedelta) -> DayHours:
    """Hours as a file or an override states them. Raises ValueError for phases that overlap or have no length."""
    read_phases = [_phase(one) for one in phases]
    check_phases(read_phases)
    return DayHours(read_phases, {Product(name): _less(time.fromisoformat(at), lead) for name, at in cut_offs.items()})


def check_phases(phases: Collection[PhaseHours]) -> None:
    """Raise ValueError unless each has a length and follows the one before."""
    ends = time(0)
    for one in phases:
        if not ends <= one.opens < one.closes:
            raise ValueError(f"the phase {one.name} does not follow the one before, or ends before it begins")
        ends = one.closes


def _texts() -> Iterator[str]:
    folder = resources.files(__package__) / "calendars"
    return (one.read_text("utf-8") for one in sorted(folder.iterdir(), key=lambda one: one.name))


def _phase(stated: Mapping[str, Any]) -> PhaseHours:
    matched_by = stated.get("matched_by")
    return PhaseHours(
        stated["name"],
        time.fromisoformat(stated["opens"]),
        time.fromisoformat(stated["closes"]),
        frozenset(map(OrderType, stated["takes"])),
        None if matched_by is None else time.fromisoformat(matched_by),
    )


def _special_day(stated: Mapping[str, Any], lead: timedelta) -> SpecialDay:
    hours = day_hours(stated["phases"], stated.get("cut_offs", {}), lead) if "phases" in stated else None
    return SpecialDay(stated["name"], stated["is_open"], hours)


def _check(year: MarketYear) -> None:
    begins = [first for first, _ in year.schedules]
    if not begins or begins[0] != year.first_day or begins != sorted(set(begins)):
        raise ValueError("schedules begin with the year, and are in order")
    if not all(year.first_day <= day <= year.valid_until for day in (*begins, *year.days)):
        raise ValueError("every day of a calendar lies in its year, up to valid_until")
    if year.valid_until.year != year.first_day.year:
        raise ValueError("valid_until lies in the year of its calendar")


def _less(at: time, lead: timedelta) -> time:
    since_midnight = timedelta(hours=at.hour, minutes=at.minute) - lead
    if since_midnight < timedelta(0):
        raise ValueError("a cut-off lies at least its lead after midnight")
    minutes = since_midnight // timedelta(minutes=1)
    return time(minutes // 60, minutes % 60)
