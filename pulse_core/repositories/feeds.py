"""The events of an account in one gap-free order.

Ids are drawn when events are written, and writers commit in any order: whoever read up to one id could miss a lower one
that comes later. So events get their number when they are read, under the lock of their feed, out of those committed.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnClause,
    Select,
    String,
    Table,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session, aliased

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


def number(session: Session, account_ids: Collection[str], most_of_each: int) -> dict[str, int]:
    """Number committed events of these accounts, up to so many of each, in the order of their ids.

    Returns how many, by account; those that had none are left out.
    """
    _lock(session, account_ids)
    numbered = session.execute(_NUMBERED, {"accounts": sorted(account_ids), "most_of_each": most_of_each})
    return {one.account_id: one.numbered for one in numbered}


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


def latest(
    session: Session, after: Mapping[str, int], up_to: Mapping[str, int], limit: int
) -> dict[str, Sequence[SliceEvent]]:
    """Of each account up to `limit` events numbered above `after` and not above `up_to`, by account; none left out."""
    found: dict[str, list[SliceEvent]] = {account_id: [] for account_id in after}
    accounts = list(after)
    asked = {"accounts": accounts, "after": [after[one] for one in accounts], "up_to": [up_to[one] for one in accounts]}
    for event in session.scalars(_LATEST, {**asked, "most_of_each": limit}):
        found[event.account_id or ""].append(event)
    return dict(found)


def _lock(session: Session, account_ids: Collection[str]) -> None:
    """Keep these feeds, made where they are missing, until the transaction ends; in one order, as everybody does."""
    session.execute(_MADE, {"accounts": sorted(account_ids)})
    session.execute(_LOCKED, {"accounts": sorted(account_ids)})


_EVENTS, _FEEDS = (one.__table__ for one in (SliceEvent, EventFeed) if isinstance(one.__table__, Table))


def _listed(*columns: ColumnClause[Any], **lists: Any) -> Any:
    """A table of these columns, made of the lists bound under these names."""
    bound = [cast(bindparam(name), ARRAY(kind)) for name, kind in lists.items()]
    return func.unnest(*bound).table_valued(*columns, name="asked").render_derived()


def _numbered() -> Select[Any]:
    asked = _listed(column("account_id", String), accounts=String)
    news = (
        select(_EVENTS.c.id)
        .where(_EVENTS.c.account_id == asked.c.account_id, _EVENTS.c.sequence.is_(None))
        .order_by(_EVENTS.c.id)
        .limit(bindparam("most_of_each"))
        .lateral("news")
    )
    place = func.row_number().over(partition_by=asked.c.account_id, order_by=news.c.id)
    places = (
        select(news.c.id, (_FEEDS.c.last_sequence + place).label("sequence"))
        .select_from(asked.join(news, true()).join(_FEEDS, _FEEDS.c.account_id == asked.c.account_id))
        .subquery("places")
    )
    numbered = (
        update(_EVENTS)
        .where(_EVENTS.c.id == places.c.id)
        .values(sequence=places.c.sequence)
        .returning(_EVENTS.c.account_id, _EVENTS.c.sequence)
        .cte("numbered")
    )
    ends = select(numbered.c.account_id, func.max(numbered.c.sequence).label("last"), func.count().label("numbered"))
    end = ends.group_by(numbered.c.account_id).subquery("ends")
    moved = (
        update(_FEEDS)
        .where(_FEEDS.c.account_id == end.c.account_id)
        .values(last_sequence=end.c.last)
        .returning(end.c.account_id, end.c.numbered)
        .cte("moved")
    )
    return select(moved.c.account_id, moved.c.numbered)


def _latest() -> Select[SliceEvent]:
    columns = (column("account_id", String), column("after", BigInteger), column("up_to", BigInteger))
    asked = _listed(*columns, accounts=String, after=BigInteger, up_to=BigInteger)
    page = (
        select(SliceEvent)
        .where(
            SliceEvent.account_id == asked.c.account_id,
            SliceEvent.sequence > asked.c.after,
            SliceEvent.sequence <= asked.c.up_to,
        )
        .order_by(SliceEvent.sequence)
        .limit(bindparam("most_of_each"))
        .lateral("page")
    )
    event = aliased(SliceEvent, page)
    return select(event).select_from(asked.join(page, true())).order_by(page.c.account_id, page.c.sequence)


# Made once: building a statement costs more than running it.
_NUMBERED, _LATEST = _numbered(), _latest()
_MADE = (
    insert(_FEEDS)
    .from_select(
        ["account_id", "last_sequence"],
        select(func.unnest(cast(bindparam("accounts"), ARRAY(String))), literal(0)),
    )
    .on_conflict_do_nothing(index_elements=["account_id"])
)
_LOCKED = (
    select(_FEEDS.c.account_id)
    .where(_FEEDS.c.account_id == any_(cast(bindparam("accounts"), ARRAY(String))))
    .order_by(_FEEDS.c.account_id)
    .with_for_update(key_share=True)
)
