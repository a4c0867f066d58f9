"""The days of an exchange: which phases it has, what they take, and until when a product is taken.

A calendar is data: it knows no clock, and every instant in it is in UTC.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from api_contract.vocabulary import OrderType, Product

SATURDAY = 5
A_DAY = timedelta(days=1)


class NoCalendar(LookupError):
    """The day lies beyond the data of its exchange, which end with `valid_until`."""

    def __init__(self, exchange: str, day: date, valid_until: date) -> None:
        super().__init__(f"the calendar of {exchange} ends with {valid_until}, and does not know {day}")
        self.exchange = exchange
        self.day = day
        self.valid_until = valid_until


@dataclass(frozen=True)
class PhaseHours:
    """A phase by the times of its day; what it takes may be matched as late as `matched_by`."""

    name: str
    opens: time
    closes: time
    takes: frozenset[OrderType]
    matched_by: time | None = None


@dataclass(frozen=True)
class DayHours:
    """The hours of a day, or of all days from a date on; `cut_offs` are products' last times, the lead taken off."""

    phases: Sequence[PhaseHours] = ()
    cut_offs: Mapping[Product, time] = field(default_factory=dict)


@dataclass(frozen=True)
class SpecialDay:
    """A day that is not as its weekday has it; without `hours` of its own it is open as any, or closed."""

    name: str
    is_open: bool
    hours: DayHours | None = None
    is_override: bool = False


@dataclass(frozen=True)
class MarketYear:
    """A year of a market, as its file has it: days and times are by its clock. `schedules` are by their first day."""

    exchanges: Sequence[str]
    time_zone: ZoneInfo
    currency: str
    first_day: date
    valid_until: date
    dated: date
    source: str
    schedules: Sequence[tuple[date, DayHours]]
    days: Mapping[date, SpecialDay]

    def hours(self, day: date) -> DayHours:
        return [hours for begins, hours in self.schedules if begins <= day][-1]


@dataclass(frozen=True)
class Phase:
    """A phase on one day. It takes orders from `opens` on, and none at `closes`."""

    name: str
    opens: datetime
    closes: datetime
    takes: frozenset[OrderType]
    matched_by: datetime | None


@dataclass(frozen=True)
class TradingDay:
    """A day of an exchange: `name` says why it is not as its weekday has it. Closed days have no phases."""

    exchange: str
    day: date
    name: str | None
    is_override: bool
    phases: Sequence[Phase]
    cut_offs: Mapping[Product, datetime]


@dataclass(frozen=True)
class Stretch:
    """A time without a pause in which orders are taken; not at its end."""

    start: datetime
    end: datetime

    def holds(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


@dataclass(frozen=True)
class Terms:
    """What of an order decides whether a phase takes it."""

    order_type: OrderType
    product: Product


@dataclass(frozen=True)
class Calendar:
    """What is known of an exchange: its years, and what operators said of single days."""

    exchange: str
    years: Mapping[int, MarketYear]
    overrides: Mapping[date, SpecialDay] = field(default_factory=dict)
    # Neither years nor overrides change: whoever states another override makes another calendar.
    _days: dict[date, TradingDay] = field(default_factory=dict, compare=False, repr=False)

    def day(self, day: date) -> TradingDay:
        """One day by its own date. Raises NoCalendar."""
        if day not in self._days:
            self._days[day] = self._day(day)
        return self._days[day]

    def _day(self, day: date) -> TradingDay:
        year = self.year_of(day)
        zone = year.time_zone
        exception = self.overrides.get(day) or year.days.get(day)
        is_open = day.weekday() < SATURDAY if exception is None else exception.is_open
        hours = (exception and exception.hours) or year.hours(day)
        return TradingDay(
            self.exchange,
            day,
            exception.name if exception else None,
            exception is not None and exception.is_override,
            tuple(_phase(day, one, zone) for one in hours.phases) if is_open else (),
            {product: _at(day, last, zone) for product, last in hours.cut_offs.items()} if is_open else {},
        )

    def year_of(self, day: date) -> MarketYear:
        """The data that a day is in. Raises NoCalendar."""
        year = self.years.get(day.year)
        if year is None or not year.first_day <= day <= year.valid_until:
            raise NoCalendar(self.exchange, day, self.valid_until)
        return year

    @property
    def time_zone(self) -> ZoneInfo:
        """That of its days and times."""
        return self._latest.time_zone

    @property
    def currency(self) -> str:
        """What its prices are in."""
        return self._latest.currency

    @property
    def _latest(self) -> MarketYear:
        return self.years[max(self.years)]

    def date_of(self, instant: datetime) -> date:
        """The date there."""
        return instant.astimezone(self.time_zone).date()

    @property
    def valid_until(self) -> date:
        return max(year.valid_until for year in self.years.values())

    def session(self, day: date, terms: Terms) -> list[Stretch]:
        """The stretches of a day that take an order, in order. Raises NoCalendar."""
        found = self.day(day)
        return _merged(found.phases, terms.order_type, found.cut_offs.get(terms.product))

    def sessions(self, since: datetime, terms: Terms) -> Iterator[list[Stretch]]:
        """What is left of the day that an instant is on, and all sessions after it. Raises NoCalendar at their end."""
        day = self.date_of(since)
        while True:
            left = [one for one in self.session(day, terms) if one.end > since]
            if left:
                yield left
            day += A_DAY

    def stretches(self, since: datetime, terms: Terms) -> Iterator[Stretch]:
        """Those that end after an instant, in order. Raises NoCalendar where the data end."""
        for session in self.sessions(since, terms):
            yield from session

    def between(self, since: datetime, until: datetime, terms: Terms) -> list[Stretch]:
        """When an order is taken in a stretch of time, as far as the data go."""
        found: list[Stretch] = []
        try:
            for one in self.stretches(since, terms):
                if one.start >= until:
                    break
                found.append(Stretch(max(one.start, since), min(one.end, until)))
        except NoCalendar:
            pass
        return found

    def next_opening(self, now: datetime, terms: Terms) -> datetime | None:
        """When the stretch begins, or has begun, that takes an order next; None where the data end before."""
        try:
            return next(self.stretches(now, terms)).start
        except NoCalendar:
            return None

    def cut_off(self, begun_at: datetime, product: Product) -> datetime | None:
        """Until when a product is taken on the day that an order began on; None: always, or it is not known."""
        try:
            return self.day(self.date_of(begun_at)).cut_offs.get(product)
        except NoCalendar:
            return None

    def matched_by(self, instant: datetime) -> datetime | None:
        """Until when that is matched which a phase took at an instant; None for what trades at once."""
        try:
            phases = self.day(self.date_of(instant)).phases
        except NoCalendar:
            return None
        return next((one.matched_by for one in phases if one.opens <= instant < one.closes), None)


def _merged(phases: Sequence[Phase], order_type: OrderType, cut_off: datetime | None) -> list[Stretch]:
    merged: list[Stretch] = []
    for phase in phases:
        closes = phase.closes if cut_off is None else min(phase.closes, cut_off)
        if order_type not in phase.takes or closes <= phase.opens:
            continue
        if merged and merged[-1].end == phase.opens:
            merged[-1] = Stretch(merged[-1].start, closes)
        else:
            merged.append(Stretch(phase.opens, closes))
    return merged


def _phase(day: date, hours: PhaseHours, zone: ZoneInfo) -> Phase:
    matched_by = None if hours.matched_by is None else _at(day, hours.matched_by, zone)
    return Phase(hours.name, _at(day, hours.opens, zone), _at(day, hours.closes, zone), hours.takes, matched_by)


def _at(day: date, local: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, local, zone).astimezone(UTC)
