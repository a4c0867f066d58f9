"""Fit the window of an order into the sessions of its market, or say why it does not fit and what would."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from api_contract.vocabulary import SessionRule
from pulse_core.markets.calendar import Calendar, NoCalendar, Stretch, Terms

# What a window has at least, until the close too.
SHORTEST = timedelta(minutes=1)
# Longer than exchanges are ever closed.
LOOKED_AHEAD = timedelta(days=14)


@dataclass(frozen=True)
class Window:
    """When the first slice of an order is due, and when its time is over."""

    start: datetime
    end: datetime


class DoesNotFit(ValueError):
    """The market is closed then, or closes too soon; `next_session` is the next one that is long enough, if any."""

    def __init__(self, why: str, next_session: Stretch | None) -> None:
        super().__init__(why)
        self.next_session = next_session


def fit(calendar: Calendar, terms: Terms, rule: SessionRule, start: datetime, length: timedelta | None) -> Window:
    """The window that an order gets which asked for one from `start` on; without a length until the close.

    Raises DoesNotFit, or NoCalendar for days beyond the data.
    """
    # The day itself must be known, even where it would be closed.
    calendar.year_of(calendar.date_of(start))
    first = _first(calendar, terms, rule, start)
    if first is None:
        raise DoesNotFit("the market is closed then", _long_enough(calendar, terms, start, length))
    begins = max(first.start, start)
    if length is None or rule is not SessionRule.WAIT:
        window = Window(begins, first.end if length is None else begins + length)
        if window.end > first.end or window.end - begins < SHORTEST:
            why = "the market closes before the window would end"
            raise DoesNotFit(why, _long_enough(calendar, terms, start, length))
        return window
    return Window(begins, _end_of_waiting(calendar, terms, begins, length))


def _first(calendar: Calendar, terms: Terms, rule: SessionRule, start: datetime) -> Stretch | None:
    """The stretch in which the window begins."""
    if rule is SessionRule.AT_OPEN:
        return next(one for one in _openings(calendar, terms, start) if one.start >= start)
    found = next(calendar.stretches(start, terms))
    return None if rule is SessionRule.REFUSE and found.start > start else found


def _openings(calendar: Calendar, terms: Terms, since: datetime) -> Iterator[Stretch]:
    """The first stretch of each day."""
    day = calendar.date_of(since)
    while True:
        yield from calendar.session(day, terms)[:1]
        day += timedelta(days=1)


def _end_of_waiting(calendar: Calendar, terms: Terms, begins: datetime, length: timedelta) -> datetime:
    """When so much time has passed in which the order is taken."""
    left, is_for_a_day = length, calendar.cut_off(begins, terms.product) is not None
    for stretch in calendar.stretches(begins, terms):
        if is_for_a_day and calendar.date_of(stretch.start) != calendar.date_of(begins):
            why = f"{terms.product} is for one day, and the day ends before the window would"
            raise DoesNotFit(why, _long_enough(calendar, terms, begins, length))
        usable = stretch.end - max(stretch.start, begins)
        if left <= usable:
            return stretch.end - usable + left
        left -= usable
    raise AssertionError("stretches only end with an error")


def _long_enough(calendar: Calendar, terms: Terms, since: datetime, length: timedelta | None) -> Stretch | None:
    """The next stretch after an instant that has room for the whole window; the longest of those days, if none has."""
    longest: Stretch | None = None
    try:
        for one in calendar.stretches(since, terms):
            if one.start <= since:
                continue
            if one.start - since > LOOKED_AHEAD or one.end - one.start >= (length or SHORTEST):
                return longest if one.start - since > LOOKED_AHEAD else one
            longest = one if longest is None else max(longest, one, key=lambda it: it.end - it.start)
    except NoCalendar:
        pass
    return longest
