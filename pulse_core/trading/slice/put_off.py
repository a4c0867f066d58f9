"""Slices that come due while their market does not take them wait, and cost nothing: no turn and no attempt."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from api_contract.log import get_logger
from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.batching import for_each
from pulse_core.config import settings
from pulse_core.markets import hours
from pulse_core.markets.hours import Hours
from pulse_core.trading.sessions import LOOKED_AT_AGAIN, cut_off_passed, opens_at
from pulse_core.trading.slice.skipping import skip_over
from pulse_core.trading.store import due_slices, slices
from pulse_core.trading.tables import Order, OrderSlice

log = get_logger(__name__)

BATCH = 500
A_MOMENT = timedelta(milliseconds=1)


def put_off_closed(broker_account: str, now: datetime) -> int:
    """Put off an account's slices due in a market that is closed, and skip those past a cut-off; returns how many."""
    known = hours.current()
    if not known.are_kept_by(broker_account):
        return 0
    with db.transaction() as session:
        due = due_slices.due_on(session, broker_account, list(known.calendars), now, BATCH)
        closed = {one.id for one, order in due if opens_at(known, order, now) != now}
        cut_off = {one.id for one, order in due if cut_off_passed(known, order, now) is not None}
    put_off(closed - cut_off, now)
    for_each(sorted(cut_off), lambda slice_id: skip_over(slice_id, now))
    return len(closed | cut_off)


def put_off(slice_ids: Collection[str], now: datetime) -> None:
    """Have these slices wait until their market takes them; those that it takes, or that have gone on, are left."""
    if not slice_ids:
        return
    known = hours.current()
    with db.transaction() as session:
        moved: dict[datetime, list[str]] = defaultdict(list)
        for one, order in slices.with_orders(session, slice_ids, SliceStatus.SCHEDULED):
            if (again_at := _again_at(known, order, one, now)) is not None:
                moved[again_at].append(one.id)
        for due_at, some in moved.items():
            due_slices.put_off(session, some, now, due_at)
    for due_at, some in moved.items():
        log.info("slices wait for their market", slice_ids=some, until=due_at)


def _again_at(known: Hours, order: Order, one: OrderSlice, now: datetime) -> datetime | None:
    if one.due_at > now or order.status is not OrderStatus.IN_PROGRESS:
        return None
    opens = opens_at(known, order, now)
    if opens == now:
        return None
    # At the latest when its window is over, so that it ends then.
    over_at = order.end_at + timedelta(seconds=settings().late_grace) + A_MOMENT
    return min(filter(None, (opens, now + LOOKED_AT_AGAIN, over_at if over_at > now else None)))
