"""What anybody may know of the hours of an exchange."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from api_contract.errors import BeyondCalendar, InvalidRequest, NotFound
from api_contract.vocabulary import OrderType, Product
from pulse_core.config import settings
from pulse_core.markets import hours
from pulse_core.markets.calendar import Calendar, NoCalendar, Stretch, Terms


@dataclass(frozen=True)
class PhaseReport:
    name: str
    opens_at: datetime
    closes_at: datetime
    takes: Sequence[OrderType]


@dataclass(frozen=True)
class MarketReport:
    """A day of an exchange; `is_kept`: orders have to keep these hours here. Without phases it is closed."""

    exchange: str
    time_zone: str
    day: str
    day_name: str | None
    is_override: bool
    is_kept: bool
    phases: Sequence[PhaseReport]
    cut_offs: Mapping[Product, datetime]
    next_session: Stretch | None
    valid_until: str


def market_report(exchange: str, day: str | None, now: datetime) -> MarketReport:
    """The hours of one day, today without one. Raises NotFound, InvalidRequest, BeyondCalendar, DatabaseUnavailable."""
    calendar = calendar_of(exchange)
    asked = calendar.date_of(now) if day is None else day_of(day)
    try:
        found = calendar.day(asked)
    except NoCalendar as unknown:
        raise beyond(unknown) from unknown
    return MarketReport(
        exchange,
        str(calendar.time_zone),
        asked.isoformat(),
        found.name,
        found.is_override,
        hours.is_on() and exchange in settings().pulse_exchanges,
        [PhaseReport(one.name, one.opens, one.closes, sorted(one.takes)) for one in found.phases],
        found.cut_offs,
        _next_session(calendar, now),
        calendar.valid_until.isoformat(),
    )


def calendar_of(exchange: str) -> Calendar:
    """The calendar of an exchange, whether or not orders have to keep it here. Raises NotFound."""
    known = hours.all_calendars()
    if exchange not in known:
        raise NotFound(f"there is a calendar of {', '.join(sorted(known))} only")
    return known[exchange]


def day_of(stated: str) -> date:
    """A day like 2026-11-30. Raises InvalidRequest."""
    try:
        return date.fromisoformat(stated)
    except ValueError:
        raise InvalidRequest("day must be a day like 2026-11-30", {"field": "day"}) from None


def beyond(unknown: NoCalendar) -> BeyondCalendar:
    """The refusal of a day that the data do not reach, with what to do."""
    valid_until = unknown.valid_until.isoformat()
    return BeyondCalendar(
        f"the calendar of {unknown.exchange} is known until {valid_until}: let the window end by then, or have the"
        " operator install the release with the next year's calendar",
        {"exchange": unknown.exchange, "day": unknown.day.isoformat(), "valid_until": valid_until},
    )


def _next_session(calendar: Calendar, now: datetime) -> Stretch | None:
    """The one that is, or the next, for an order at the market that is carried."""
    try:
        return next(calendar.stretches(now, Terms(OrderType.MARKET, Product.CNC)))
    except NoCalendar:
        return None
