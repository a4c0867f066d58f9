"""What the hours of its market mean for an order."""

from datetime import datetime, timedelta

from pulse_core.markets.hours import LAST_CLAIMED, LAST_PLANNED, Hours
from pulse_core.trading.tables import Order, OrderSlice
from pulse_core.trading.trading_time import TradingTime

# An operator may open a market at any time: what waits for it is looked at again so often.
LOOKED_AT_AGAIN = timedelta(minutes=1)


def trading_time(hours: Hours, order: Order, end_at: datetime | None = None) -> TradingTime:
    """When slices of an order can be planned: its window, as far as its market takes it and they get there in time.

    `end_at` is the end of a window that is extended.
    """
    end_at = end_at or order.end_at
    calendar = hours.calendar_of(order.broker_account, order.instrument)
    if calendar is None:
        return TradingTime([(order.start_at, end_at)])
    terms = hours.terms(order.order_type, order.product)
    found = calendar.between(order.start_at, end_at, terms)
    # Where the window ends before the market does, its end needs no time to spare.
    last = next(iter(calendar.between(end_at, end_at + LAST_PLANNED, terms)), None)
    is_open_after = last is not None and last.start == end_at and last.end - last.start >= LAST_PLANNED
    ends = [one.end - LAST_PLANNED for one in found]
    if found and is_open_after and found[-1].end == end_at:
        ends[-1] = end_at
    return TradingTime([(one.start, end) for one, end in zip(found, ends, strict=True) if end > one.start])


def opened_at(hours: Hours, order: Order, now: datetime) -> datetime | None:
    """Since when an order's market has taken it; None while it does not, and outside its window."""
    return next((start for start, end in trading_time(hours, order).stretches if start <= now <= end), None)


def has_waited(one: OrderSlice, opened: datetime) -> bool:
    """Whether a slice was put off until its market `opened`."""
    return one.scheduled_at < opened <= one.due_at <= opened + LOOKED_AT_AGAIN


def opens_at(hours: Hours, order: Order, now: datetime) -> datetime | None:
    """When a slice of an order may be claimed next, `now` if it may be; None where nobody knows a time."""
    calendar = hours.calendar_of(order.broker_account, order.instrument)
    if calendar is None:
        return now
    # What closes within this time is closed.
    opens = calendar.next_opening(now + LAST_CLAIMED, hours.terms(order.order_type, order.product))
    return opens if opens is None else max(opens, now)


def cut_off_passed(hours: Hours, order: Order, now: datetime) -> datetime | None:
    """The last time for the product of an order on its day, if that has come."""
    calendar = hours.calendar_of(order.broker_account, order.instrument)
    if calendar is None:
        return None
    cut_off = calendar.cut_off(order.start_at, hours.terms(order.order_type, order.product).product)
    return cut_off if cut_off is not None and now >= cut_off - LAST_CLAIMED else None
