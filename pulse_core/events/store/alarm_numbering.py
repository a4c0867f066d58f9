"""The events of alarms in one gap-free order: numbered when they are read, as those of accounts are."""

from collections.abc import Sequence

from sqlalchemy import Integer, func, select
from sqlalchemy.orm import Session

from pulse_core.events.tables import AlarmEvent
from pulse_core.postgres import sql

# Two numbers, so that it is none of the locks on slices, which are one.
_LOCK = select(func.pg_advisory_xact_lock(0x616C, 0x726D))
_NUMBER = sql.load(__package__, "number_alarms", {"most": Integer()})


def number(session: Session, most: int) -> int:
    """Number up to so many committed events, in the order of their ids; returns how many there were."""
    if not has_news(session):
        return 0
    session.execute(_LOCK)
    return session.scalar(_NUMBER, {"most": most}) or 0


def has_news(session: Session) -> bool:
    """Whether there are events without a number."""
    return session.scalar(select(AlarmEvent.id).where(AlarmEvent.sequence.is_(None)).limit(1)) is not None


def last_sequence(session: Session) -> int:
    """The highest number given out; 0 where none was."""
    return session.scalar(select(func.max(AlarmEvent.sequence))) or 0


def numbered(session: Session, after: int, limit: int) -> Sequence[AlarmEvent]:
    """Up to `limit` events numbered above `after`."""
    rows = select(AlarmEvent).where(AlarmEvent.sequence > after).order_by(AlarmEvent.sequence)
    return session.scalars(rows.limit(limit)).all()
