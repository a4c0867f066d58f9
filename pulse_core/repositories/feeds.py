"""The events of an account in one gap-free order.

Ids are drawn when events are written, and writers commit in any order: whoever read up to one id could miss a lower one
that comes later. So events get their number when they are read, under the lock of their feed, out of those committed.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.models import EventFeed, Order, SliceEvent


def adopt(session: Session, limit: int = 1000) -> None:
    """Name the account of events that were written by a version of Pulse which did not."""
    nameless = select(SliceEvent.id).where(SliceEvent.account_id.is_(None), SliceEvent.sequence.is_(None))
    session.execute(
        update(SliceEvent)
        .where(SliceEvent.id.in_(nameless.limit(limit).with_for_update(skip_locked=True)))
        .where(Order.id == SliceEvent.order_id)
        .values(account_id=Order.account_id)
        .execution_options(synchronize_session=False)
    )


def with_news(session: Session, account_ids: Collection[str]) -> Sequence[str]:
    """Those of the accounts that have events without a number."""
    rows = select(SliceEvent.account_id).where(SliceEvent.account_id.in_(account_ids), SliceEvent.sequence.is_(None))
    return [one for one in session.scalars(rows.distinct()) if one is not None]


def number(session: Session, account_id: str, limit: int) -> int:
    """Number up to `limit` committed events of one account in the order of their ids; returns how many."""
    last = _lock(session, account_id)
    place = func.row_number().over(order_by=SliceEvent.id)
    rows = select(SliceEvent.id, (last + place).label("sequence")).where(
        SliceEvent.account_id == account_id, SliceEvent.sequence.is_(None)
    )
    found = rows.order_by(SliceEvent.id).limit(limit).subquery()
    numbered = session.execute(
        update(SliceEvent)
        .where(SliceEvent.id == found.c.id)
        .values(sequence=found.c.sequence)
        .returning(SliceEvent.id)
        .execution_options(synchronize_session=False)
    ).all()
    if numbered:
        session.execute(
            update(EventFeed)
            .where(EventFeed.account_id == account_id)
            .values(last_sequence=last + len(numbered))
            .execution_options(synchronize_session=False)
        )
    return len(numbered)


def last_sequences(session: Session, account_ids: Collection[str]) -> dict[str, int]:
    """The highest number given out in each account; 0 where none was."""
    rows = select(EventFeed.account_id, EventFeed.last_sequence).where(EventFeed.account_id.in_(account_ids))
    return {**dict.fromkeys(account_ids, 0), **{row.account_id: row.last_sequence for row in session.execute(rows)}}


def numbered(
    session: Session, account_id: str, after: int, up_to: int, limit: int, order_id: str | None = None
) -> Sequence[SliceEvent]:
    """Events of the account, or of one of its orders, numbered above `after` and not above `up_to`."""
    rows = select(SliceEvent).where(
        SliceEvent.account_id == account_id, SliceEvent.sequence > after, SliceEvent.sequence <= up_to
    )
    if order_id is not None:
        rows = rows.where(SliceEvent.order_id == order_id)
    return session.scalars(rows.order_by(SliceEvent.sequence).limit(limit)).all()


def _lock(session: Session, account_id: str) -> int:
    """The last number of the feed, whose row stays locked until the transaction ends."""
    made = insert(EventFeed).values(account_id=account_id, last_sequence=0)
    session.execute(made.on_conflict_do_nothing(index_elements=["account_id"]))
    row = select(EventFeed.last_sequence).where(EventFeed.account_id == account_id).with_for_update(key_share=True)
    return session.scalars(row).one()
