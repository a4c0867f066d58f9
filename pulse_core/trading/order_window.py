"""Until when an order can catch up, and what of it can come back."""

from datetime import datetime, timedelta

from api_contract.vocabulary import AtEnd, SliceStatus
from pulse_core.config import settings
from pulse_core.trading.tables import Order

# What slices lack that ended so comes back. What others lack that have ended, an operator may have sent again, or it
# was given up.
COMING_BACK = frozenset({SliceStatus.EXPIRED, SliceStatus.CANCELLED})


def planned_end(order: Order) -> datetime:
    """The end of its window, before that was extended."""
    return order.planned_end_at or order.end_at


def latest_end(order: Order) -> datetime:
    """The latest end that its window may be extended to."""
    return planned_end(order) + timedelta(minutes=order.extend_minutes)


def is_catching_up(order: Order, now: datetime) -> bool:
    """Whether what comes back of it can still be planned: inside its window, or as its last slice a little later."""
    if now < latest_end(order):
        return True
    is_last_slice_to_come = order.at_end is AtEnd.MARKET and order.replan_at is not None
    return is_last_slice_to_come and now < latest_end(order) + timedelta(seconds=settings().late_grace)
