"""Give what is unsent of an order new times in the rest of its window, after something has kept it back."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.vocabulary import SliceStatus
from pulse_core.errors import LostRace
from pulse_core.markets.hours import Hours
from pulse_core.trading.sessions import trading_time
from pulse_core.trading.store import slices
from pulse_core.trading.tables import Order, OrderSlice
from pulse_core.trading.trading_time import TradingTime

# Times of slices in their sequence, now, the planned interval and the end of the window; None for what does not fit.
Pacing = Callable[[Sequence[datetime], datetime, timedelta, datetime], list[datetime | None]]
MISSED_WHILE_HELD = {"error_code": "HELD", "error_message": "its time passed while it was held, and no room was left"}


def replan(session: Session, order: Order, known: Hours, now: datetime, pacing: Pacing, missed: dict[str, str]) -> None:
    """Re-time the unsent slices of a locked order; what no longer fits is SKIPPED, with what was `missed` as its error.

    One that a worker claims meanwhile is followed from there.
    """
    unsent = slices.unsent(session, order.id)
    for one, due_at in zip(unsent, _times(order, trading_time(known, order), unsent, now, pacing), strict=True):
        if due_at is None:
            # They are not locked.
            with suppress(LostRace):
                slices.move(session, one, SliceStatus.SKIPPED, now, **missed)
        elif due_at != one.due_at:
            slices.change(session, one.id, now, due_at=due_at, hinted_until=None)


def _times(
    order: Order, time: TradingTime, unsent: Sequence[OrderSlice], now: datetime, pacing: Pacing
) -> list[datetime | None]:
    """By the time in which the market takes the order: what is missed on an evening goes out the next morning."""
    if not time.stretches:
        return [one.due_at for one in unsent]
    interval = time.length / (order.num_splits - 1)
    due = [order.start_at + time.passed(one.due_at) for one in unsent]
    paced = pacing(due, order.start_at + time.passed(now), interval, order.start_at + time.length)
    return [None if one is None else time.runs_from(max(time.at(one - order.start_at), now)) for one in paced]
