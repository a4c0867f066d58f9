"""The events of all accounts in one gap-free order: merged when they are read, out of those that have a number.

A number in an account's feed stands for an event that has committed, and none comes later with a lower one. So nothing
is missed that is merged feed by feed from where it was, under one lock.
"""

from collections.abc import Sequence

from sqlalchemy import Integer, String, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from pulse_core.events.tables import EventFeed, MergedEvent, SliceEvent
from pulse_core.postgres import sql

# Fewer of an account at once would make the way through a long past long.
LEAST_SHARE = 50

# Two numbers, so that it is none of the locks on slices, which are one.
_LOCK = select(func.pg_advisory_xact_lock(0x616C, 0x6C20))
_MERGE = sql.load(__package__, "merge", {"accounts": ARRAY(String()), "most": Integer(), "share": Integer()})
_WITH_NEWS = sql.load(__package__, "with_news", {"most": Integer()}).columns(account_id=String())
_BEHIND = select(EventFeed.account_id).where(EventFeed.last_sequence > EventFeed.merged_sequence)


def accounts_with_news(session: Session, most: int) -> Sequence[str]:
    """Accounts that have events without a number in their own feed, up to so many."""
    return session.scalars(_WITH_NEWS, {"most": most}).all()


def is_behind(session: Session) -> bool:
    """Whether accounts have numbered what is not merged."""
    return session.scalar(_BEHIND.limit(1)) is not None


def merge(session: Session, most: int) -> int:
    """Merge up to so many events that have a number in their account's feed; returns how many there were."""
    session.execute(_LOCK)
    # In one order, as those do who number: neither then waits for the other in a circle.
    behind = session.scalars(_BEHIND.order_by(EventFeed.account_id).with_for_update(key_share=True)).all()
    if not behind:
        return 0
    share = max(most // len(behind), LEAST_SHARE)
    return session.scalar(_MERGE, {"accounts": behind, "most": most, "share": share}) or 0


def last_sequence(session: Session) -> int:
    """The highest number given out; 0 where none was."""
    return session.scalar(select(func.max(MergedEvent.sequence))) or 0


def merged(session: Session, after: int, limit: int) -> Sequence[tuple[int, SliceEvent]]:
    """Up to `limit` events numbered above `after`, each with its number."""
    rows = select(MergedEvent.sequence, SliceEvent).join(SliceEvent, SliceEvent.id == MergedEvent.event_id)
    rows = rows.where(MergedEvent.sequence > after).order_by(MergedEvent.sequence).limit(limit)
    return [(row[0], row[1]) for row in session.execute(rows)]
