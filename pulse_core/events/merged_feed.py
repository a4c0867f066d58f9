"""Everything that happens to orders of all accounts, in one order: for operators and admins."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from pulse_core import db
from pulse_core.events import feed
from pulse_core.events.feed import PATIENCE, EventReport
from pulse_core.events.kept import count_before_gap
from pulse_core.events.store import merging

MERGED_AT_ONCE = 2000
ACCOUNTS_AT_ONCE = 500


@dataclass(frozen=True)
class MergedEventReport(EventReport):
    """An event with the account whose order it is about, and its number in that account's own feed.

    `event_id` rises by one from event to event of all accounts.
    """

    account_id: str
    account_event_id: int


@dataclass(frozen=True)
class MergedEventPage:
    """Events in order. Both others: where to go on, None when there were no others yet."""

    events: Sequence[MergedEventReport]
    next_after: int | None
    next_cursor: str | None


@dataclass(frozen=True)
class MergedNews:
    """What is new: all events up to `last_event_id` can be read; `is_complete`: there were no others yet."""

    events: Sequence[MergedEventReport]
    last_event_id: int
    is_complete: bool


def poll(after: int | None, limit: int) -> MergedNews:
    """Up to `limit` events after the one named; none for None, which asks where the feed stands."""
    is_complete = _merge()
    with db.transaction() as session:
        last = merging.last_sequence(session)
        found = _reports(session, after, limit) if after is not None and after < last else []
    return MergedNews(found, last, is_complete)


def events(after: int, limit: int) -> MergedEventPage:
    """Up to `limit` events after the one named. Raises Archived."""
    is_complete = _merge()
    with db.transaction() as session:
        last = merging.last_sequence(session)
        found = _reports(session, after, limit + 1)
    here = count_before_gap([one.event_id for one in found], after, last)
    shown = found[: min(here, limit)]
    is_last = len(found) == len(shown) and is_complete
    next_after = None if is_last else shown[-1].event_id if shown else after
    return MergedEventPage(shown, next_after, None if next_after is None else str(next_after))


def _merge() -> bool:
    """Number and merge what is new, as far as patience goes; False where something may be left."""
    ends_at = time.monotonic() + PATIENCE
    is_numbered = _number(ends_at)
    while True:
        with db.transaction() as session:
            if not merging.is_behind(session):
                return is_numbered
            merging.merge(session, MERGED_AT_ONCE)
        if time.monotonic() >= ends_at:
            return False


def _number(ends_at: float) -> bool:
    """Number what is new of all accounts, some accounts at a time; False where something may be left."""
    while True:
        with db.transaction() as session:
            waiting = merging.accounts_with_news(session, ACCOUNTS_AT_ONCE)
        is_numbered = feed.number(waiting) >= set(waiting)
        if len(waiting) < ACCOUNTS_AT_ONCE or time.monotonic() >= ends_at:
            return is_numbered and len(waiting) < ACCOUNTS_AT_ONCE


def _reports(session: Session, after: int, limit: int) -> list[MergedEventReport]:
    found = merging.merged(session, after, limit)
    told = feed.reports(session, [event for _, event in found])
    return [
        MergedEventReport(
            **{**vars(report), "event_id": sequence},
            account_id=event.account_id or "",
            account_event_id=report.event_id,
        )
        for (sequence, event), report in zip(found, told, strict=True)
    ]
