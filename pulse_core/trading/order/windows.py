"""The window that an order gets, or is given anew: where its market has hours, one in which it can trade."""

from datetime import UTC, datetime, timedelta
from typing import Any

from api_contract.errors import InvalidRequest, MarketClosed
from api_contract.order_rules import MAX_MINUTES, MIN_MINUTES, NewOrder
from api_contract.vocabulary import SessionRule
from pulse_core.markets import hours
from pulse_core.markets.calendar import Calendar, NoCalendar, Stretch, Terms
from pulse_core.markets.hours import Hours
from pulse_core.markets.queries import beyond
from pulse_core.markets.windows import LOOKED_AHEAD, DoesNotFit, Window, fit
from pulse_core.trading.tables import Order

A_MINUTE = timedelta(minutes=1)


def window_of(new_order: NewOrder, broker_account: str, now: datetime) -> Window:
    """When its slices may go out. Raises MarketClosed, BeyondCalendar, InvalidRequest, DatabaseUnavailable."""
    start = max(new_order.start_at or now, now)
    length = None if new_order.duration_minutes is None else timedelta(minutes=new_order.duration_minutes)
    known = hours.current()
    calendar = known.calendar_of(broker_account, new_order.instrument)
    if calendar is None:
        return _round_the_clock(start, length)
    terms = known.terms(new_order.order_type, new_order.product)
    try:
        return fit(calendar, terms, new_order.session, start, length)
    except DoesNotFit as misfit:
        raise _closed(calendar, terms, start, misfit) from misfit
    except NoCalendar as unknown:
        raise beyond(unknown) from unknown


def amended_window(
    order: Order, minutes: int | None, end_at: datetime | None, known: Hours, now: datetime
) -> tuple[datetime, int]:
    """When the window of an order ends that is to last so many minutes, or to end then; and how many minutes it has.

    Raises InvalidRequest for an end that is over, or a window that is too short or too long; MarketClosed,
    BeyondCalendar.
    """
    field = "duration_minutes" if end_at is None else "end_at"
    length = timedelta(minutes=minutes) if minutes is not None else _length_until(order, end_at or now, known)
    if not MIN_MINUTES * A_MINUTE <= length <= MAX_MINUTES * A_MINUTE:
        rule = f"a window of {MIN_MINUTES} to {MAX_MINUTES} minutes"
        raise InvalidRequest(f"{field} must make {rule}", {"field": field, "rule": rule})
    ends = _end_of(order, length, known)
    if ends <= now:
        raise InvalidRequest(f"{field} must end the window later than now", {"field": field, "rule": "not in the past"})
    return ends, minutes or -(-length // A_MINUTE)


def _length_until(order: Order, end_at: datetime, known: Hours) -> timedelta:
    """How long a window is that ends then: on the clock, or in the time in which its market takes the order."""
    calendar = known.calendar_of(order.broker_account, order.instrument)
    if calendar is None or order.session is not SessionRule.WAIT or end_at <= order.start_at:
        return end_at - order.start_at
    if end_at - order.start_at > LOOKED_AHEAD:
        return end_at - order.start_at
    try:
        stretches = calendar.between(order.start_at, end_at, known.terms(order.order_type, order.product))
    except NoCalendar as unknown:
        raise beyond(unknown) from unknown
    return sum((one.end - one.start for one in stretches), timedelta(0))


def _end_of(order: Order, length: timedelta, known: Hours) -> datetime:
    calendar = known.calendar_of(order.broker_account, order.instrument)
    if calendar is None:
        return order.start_at + length
    terms = known.terms(order.order_type, order.product)
    try:
        return fit(calendar, terms, order.session, order.start_at, length).end
    except DoesNotFit as misfit:
        raise _closed(calendar, terms, order.start_at, misfit) from misfit
    except NoCalendar as unknown:
        raise beyond(unknown) from unknown


def whole_minutes(window: Window) -> int:
    """Its length on the clock, in minutes that were begun."""
    return -((window.start - window.end) // A_MINUTE)


def _round_the_clock(start: datetime, length: timedelta | None) -> Window:
    if length is None:
        field, rule = "split_config.until_close", "for markets that close"
        message = f"{field} is {rule}; this one takes orders round the clock"
        raise InvalidRequest(message, {"field": field, "rule": rule})
    return Window(start, start + length)


def _closed(calendar: Calendar, terms: Terms, start: datetime, misfit: DoesNotFit) -> MarketClosed:
    cut_off = calendar.cut_off(start, terms.product)
    details: dict[str, Any] = {
        "exchange": calendar.exchange,
        "day": calendar.date_of(start).isoformat(),
        "day_name": calendar.day(calendar.date_of(start)).name,
        "cut_off": None if cut_off is None else told(cut_off),
        "next_session": _session(misfit.next_session),
    }
    return MarketClosed(f"{misfit}; next_session says when it would fit, and `session` what else can be asked", details)


def _session(found: Stretch | None) -> dict[str, str] | None:
    return None if found is None else {"start": told(found.start), "end": told(found.end)}


def told(instant: datetime) -> str:
    """An instant as clients are told it."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
