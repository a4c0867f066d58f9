"""Everything that happens to an account's orders, to be read once each, in order, and again from any point."""

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from pulse_core import db
from pulse_core.errors import DatabaseUnavailable
from pulse_core.events.kept import count_before_gap
from pulse_core.events.names import event_actor, event_reason, event_type
from pulse_core.events.store import actors, numbering
from pulse_core.events.tables import SliceEvent

NUMBERED_AT_ONCE = 2000
# Longest time, in seconds, that one call spends on numbering what nobody had read before.
PATIENCE = 1.5

log = get_logger(__name__)


@dataclass(frozen=True)
class EventReport:
    """An event as clients see it; `event_id` rises by one from event to event of an account.

    `actor_name` is a username for an account, and the actor itself for any other.
    """

    event_id: int
    type: str
    order_id: str
    slice_id: str | None
    at: datetime
    from_status: str | None
    to_status: str | None
    actor: str
    actor_name: str
    reason: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class FeedPage:
    """Events in order. `last_event_id`: all events up to it can be read; `is_complete`: there were no others yet."""

    account_id: str
    events: Sequence[EventReport]
    last_event_id: int
    is_complete: bool


@dataclass(frozen=True)
class OrderEvents(FeedPage):
    """Events of one order, or of all of an account. Both others: where to go on, None when there were no others yet."""

    next_after: int | None
    next_cursor: str | None


def poll(after: Mapping[str, int | None], limit: int) -> list[FeedPage]:
    """For each account up to `limit` events after the one named, none where None is.

    Accounts without events and without news are left out, but for those asked with None.
    """
    complete = number(after)
    with db.transaction() as session:
        last = numbering.last_sequences(session, after.keys())
        wanted = {one: seen for one, seen in after.items() if seen is None or seen < last[one]}
        behind = {one: seen for one, seen in wanted.items() if seen is not None}
        found = numbering.latest(session, behind, last, limit) if behind else {}
        told = {one: reports(session, events) for one, events in found.items()}
    return [FeedPage(one, told.get(one, []), last[one], one in complete) for one in wanted]


def number_news(account_id: str) -> None:
    """Number what is new of the account, as far as that goes; for readers to whom older numbers would do as well."""
    try:
        number([account_id])
    except DatabaseUnavailable as away:
        log.info("events not numbered", account_id=account_id, reason=away.message)


def account_events(account_id: str, after: int, limit: int) -> OrderEvents:
    """Up to `limit` events of this account after the one named. Raises Archived."""
    return order_events(account_id, None, after, limit)


def order_events(account_id: str, order_id: str | None, after: int, limit: int) -> OrderEvents:
    """Up to `limit` events of this account's order after the one named; None: of all its orders.

    Raises Archived, where not of one order.
    """
    is_complete = account_id in number([account_id])
    with db.transaction() as session:
        last = numbering.last_sequences(session, [account_id])[account_id]
        found = numbering.numbered(session, account_id, after, last, limit + 1, order_id)
        here = len(found) if order_id else count_before_gap([one.sequence or 0 for one in found], after, last)
        shown = reports(session, found[: min(here, limit)])
    next_after = shown[-1].event_id if len(found) > len(shown) else None
    if next_after is None and not is_complete:
        next_after = max(last, after)
    return OrderEvents(account_id, shown, last, is_complete, next_after, _cursor(next_after))


def _cursor(next_after: int | None) -> str | None:
    return None if next_after is None else str(next_after)


def number(account_ids: Collection[str]) -> set[str]:
    """Number what is new of these accounts, as far as patience goes; returns those where all of it is numbered."""
    ends_at = time.monotonic() + PATIENCE
    with db.transaction() as session:
        numbering.adopt(session)
        waiting = set(numbering.with_news(session, account_ids))
    while waiting and time.monotonic() < ends_at:
        # A long past of one account holds up none of the others.
        share = math.ceil(NUMBERED_AT_ONCE / len(waiting))
        with db.transaction() as session:
            numbered = numbering.number(session, waiting, share)
        waiting = {one for one in waiting if numbered.get(one, 0) == share}
    return set(account_ids) - waiting


def reports(session: Session, found: Sequence[SliceEvent]) -> list[EventReport]:
    """Events as clients see them."""
    made_by = [_actor(one) for one in found]
    names = actors.names_of(session, made_by)
    return [_report(one, actor, names.get(actor, actor)) for one, actor in zip(found, made_by, strict=True)]


def _actor(one: SliceEvent) -> str:
    return event_actor(one.kind, one.from_status, one.to_status, one.detail, one.account_id or "")


def _report(one: SliceEvent, actor: str, actor_name: str) -> EventReport:
    return EventReport(
        event_id=one.sequence or 0,
        type=event_type(one.kind, one.slice_id, one.to_status),
        order_id=one.order_id,
        slice_id=one.slice_id,
        at=one.at,
        from_status=one.from_status,
        to_status=one.to_status,
        actor=actor,
        actor_name=actor_name,
        reason=event_reason(one.kind, one.slice_id, one.to_status, one.detail),
        details=one.detail,
    )
