"""How far the events are numbered that belong to what is read: from there on, a follower misses none of the rest.

Read before what it is told with, so that everything up to it is in what is told.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pulse_core.events.tables import EventFeed, SliceEvent


def of_account(session: Session, account_id: str) -> int:
    """The last number that was given to an event of the account; 0 where none was."""
    return session.scalar(select(EventFeed.last_sequence).where(EventFeed.account_id == account_id)) or 0


def of_order(session: Session, order_id: str) -> int:
    """The last number that was given to an event of the order; 0 where none was."""
    return session.scalar(select(func.max(SliceEvent.sequence)).where(SliceEvent.order_id == order_id)) or 0
