"""Everything that happens to alarms, of every account, in one order: for operators, who follow nobody's own feed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from pulse_core import db
from pulse_core.events.names import alarm_event_type
from pulse_core.events.store import actors, alarm_numbering
from pulse_core.events.tables import AlarmEvent

NUMBERED_AT_ONCE = 2000


@dataclass(frozen=True)
class AlarmEventReport:
    """What happened to an alarm, as operators see it; `event_id` rises by one from event to event.

    `actor_name` is a username for an account, and the actor itself for any other.
    """

    event_id: int
    type: str
    alarm_id: str
    code: str
    account_id: str | None
    order_id: str | None
    slice_id: str | None
    at: datetime
    actor: str
    actor_name: str
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class AlarmEventPage:
    """Events in order. Both others: where to go on, None when there were no others yet."""

    events: Sequence[AlarmEventReport]
    next_after: int | None
    next_cursor: str | None


@dataclass(frozen=True)
class AlarmNews:
    """What is new: all events up to `last_event_id` can be read; `is_complete`: there were no others yet."""

    events: Sequence[AlarmEventReport]
    last_event_id: int
    is_complete: bool


def poll(after: int | None, limit: int) -> AlarmNews:
    """Up to `limit` events after the one named; none for None, which asks where the feed stands."""
    with db.transaction() as session:
        is_complete = alarm_numbering.number(session, NUMBERED_AT_ONCE) < NUMBERED_AT_ONCE
    with db.transaction() as session:
        last = alarm_numbering.last_sequence(session)
        found = alarm_numbering.numbered(session, after, limit) if after is not None and after < last else ()
        reports = _reports(session, found)
    return AlarmNews(reports, last, is_complete)


def alarm_events(after: int, limit: int) -> AlarmEventPage:
    """Up to `limit` events after the one named."""
    # The lock of the feed goes with a transaction of its own: what is read after it is numbered up to there.
    with db.transaction() as session:
        is_cut = alarm_numbering.number(session, NUMBERED_AT_ONCE) == NUMBERED_AT_ONCE
    with db.transaction() as session:
        found = _reports(session, alarm_numbering.numbered(session, after, limit + 1))
    shown = found[:limit]
    is_last = len(found) <= limit and not is_cut
    next_after = None if is_last else shown[-1].event_id if shown else after
    return AlarmEventPage(shown, next_after, None if next_after is None else str(next_after))


def last_event() -> int:
    """Where the feed stands, with everything numbered that is known by now; 0 before its first event."""
    while True:
        with db.transaction() as session:
            if alarm_numbering.number(session, NUMBERED_AT_ONCE) < NUMBERED_AT_ONCE:
                return alarm_numbering.last_sequence(session)


def _reports(session: Session, found: Sequence[AlarmEvent]) -> list[AlarmEventReport]:
    names = actors.names_of(session, [one.actor for one in found])
    return [_report(one, names.get(one.actor, one.actor)) for one in found]


def _report(one: AlarmEvent, actor_name: str) -> AlarmEventReport:
    return AlarmEventReport(
        event_id=one.sequence or 0,
        type=alarm_event_type(one.kind),
        alarm_id=one.alarm_id,
        code=one.code,
        account_id=one.account_id,
        order_id=one.order_id,
        slice_id=one.slice_id,
        at=one.at,
        actor=one.actor,
        actor_name=actor_name,
        detail=one.detail,
    )
