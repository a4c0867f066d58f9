"""The window that a new order gets: where its market has hours, one in which it can trade."""

from datetime import UTC, datetime, timedelta
from typing import Any

from api_contract.errors import InvalidRequest, MarketClosed
from api_contract.order_rules import NewOrder
from pulse_core.markets import hours
from pulse_core.markets.calendar import Calendar, NoCalendar, Stretch, Terms
from pulse_core.markets.queries import beyond
from pulse_core.markets.windows import DoesNotFit, Window, fit

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
        "cut_off": None if cut_off is None else _shown(cut_off),
        "next_session": _session(misfit.next_session),
    }
    return MarketClosed(f"{misfit}; next_session says when it would fit, and `session` what else can be asked", details)


def _session(found: Stretch | None) -> dict[str, str] | None:
    return None if found is None else {"start": _shown(found.start), "end": _shown(found.end)}


def _shown(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
