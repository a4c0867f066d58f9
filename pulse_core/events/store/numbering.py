"""The events of an account in one gap-free order.

Ids are drawn when events are written, and writers commit in any order: whoever read up to one id could miss a lower one
that comes later. So events get their number when they are read, under the lock of their feed, out of those committed.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Integer, String, any_, bindparam, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from pulse_core.events.tables import EventFeed, SliceEvent
from pulse_core.postgres import sql


def adopt(session: Session, limit: int = 1000) -> None:
    """Name the account of events that were written by a version of Pulse which did not."""
    session.execute(_ADOPT, {"most": limit})


def with_news(session: Session, account_ids: Collection[str]) -> Sequence[str]:
    """Those of the accounts that have events without a number."""
    rows = select(SliceEvent.account_id).where(SliceEvent.account_id.in_(account_ids), SliceEvent.sequence.is_(None))
    return [one for one in session.scalars(rows.distinct()) if one is not None]


def number(session: Session, account_ids: Collection[str], most_of_each: int) -> dict[str, int]:
    """Number committed events of these accounts, up to so many of each, in the order of their ids.

    Returns how many, by account; those that had none are left out.
    """
    _lock(session, account_ids)
    numbered = session.execute(_NUMBER, {"accounts": sorted(account_ids), "most_of_each": most_of_each})
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


_ACCOUNTS: dict[str, TypeEngine[Any]] = {"accounts": ARRAY(String())}
_ADOPT = sql.load(__package__, "adopt", {"most": Integer()})
_NUMBER = sql.load(__package__, "number", _ACCOUNTS | {"most_of_each": Integer()}).columns(
    account_id=String(), numbered=Integer()
)
_LATEST = select(SliceEvent).from_statement(
    sql.load(
        __package__,
        "latest",
        _ACCOUNTS | {"after": ARRAY(BigInteger()), "up_to": ARRAY(BigInteger()), "most_of_each": Integer()},
    )
)
_ASKED = cast(bindparam("accounts"), ARRAY(String()))
_MADE = (
    insert(EventFeed.__table__)  # type: ignore[arg-type]
    .from_select(["account_id", "last_sequence"], select(func.unnest(_ASKED), literal(0)))
    .on_conflict_do_nothing(index_elements=["account_id"])
)
_LOCKED = (
    select(EventFeed.account_id)
    .where(EventFeed.account_id == any_(_ASKED))
    .order_by(EventFeed.account_id)
    .with_for_update(key_share=True)
)
