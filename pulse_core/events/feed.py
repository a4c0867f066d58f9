"""Everything that happens to an account's orders, to be read once each, in order, and again from any point."""

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pulse_core import db
from pulse_core.events.names import event_actor, event_reason, event_type
from pulse_core.events.store import numbering
from pulse_core.events.tables import SliceEvent

NUMBERED_AT_ONCE = 2000
# Longest time, in seconds, that one call spends on numbering what nobody had read before.
PATIENCE = 1.5


@dataclass(frozen=True)
class EventReport:
    """An event as clients see it; `event_id` rises by one from event to event of an account."""

    event_id: int
    type: str
    order_id: str
    slice_id: str | None
    at: datetime
    from_status: str | None
    to_status: str | None
    actor: str
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
    """Events of one order. `next_after`: where to go on, None when there were no others yet."""

    next_after: int | None


def poll(after: Mapping[str, int | None], limit: int) -> list[FeedPage]:
    """For each account up to `limit` events after the one named, none where None is.

    Accounts without events and without news are left out, but for those asked with None.
    """
    complete = _number(after)
    with db.transaction() as session:
        last = numbering.last_sequences(session, after.keys())
        wanted = {one: seen for one, seen in after.items() if seen is None or seen < last[one]}
        behind = {one: seen for one, seen in wanted.items() if seen is not None}
        found = numbering.latest(session, behind, last, limit) if behind else {}
    return [FeedPage(one, _reports(found.get(one, ())), last[one], one in complete) for one in wanted]


def order_events(account_id: str, order_id: str, after: int, limit: int) -> OrderEvents:
    """Up to `limit` events of this account's order after the one named."""
    is_complete = account_id in _number([account_id])
    with db.transaction() as session:
        last = numbering.last_sequences(session, [account_id])[account_id]
        found = _reports(numbering.numbered(session, account_id, after, last, limit + 1, order_id))
    shown = found[:limit]
    next_after = shown[-1].event_id if len(found) > limit else None
    if next_after is None and not is_complete:
        next_after = max(last, after)
    return OrderEvents(account_id, shown, last, is_complete, next_after)


def _number(account_ids: Collection[str]) -> set[str]:
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


def _reports(found: Sequence[SliceEvent]) -> list[EventReport]:
    return [_report(one) for one in found]


def _report(one: SliceEvent) -> EventReport:
    account_id, sequence = one.account_id or "", one.sequence or 0
    return EventReport(
        event_id=sequence,
        type=event_type(one.kind, one.slice_id, one.to_status),
        order_id=one.order_id,
        slice_id=one.slice_id,
        at=one.at,
        from_status=one.from_status,
        to_status=one.to_status,
        actor=event_actor(one.kind, one.from_status, one.to_status, one.detail, account_id),
        reason=event_reason(one.kind, one.slice_id, one.to_status, one.detail),
        details=one.detail,
    )
