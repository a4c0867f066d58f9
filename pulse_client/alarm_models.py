"""What the public API answers about alarms."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pulse_client.reading import Answer
from pulse_client.vocabulary import (
    AlarmCode,
    AlarmStatus,
)


class Alarm(Answer):
    """A cause for an operator to look. Without an order it is about the installation as a whole."""

    alarm_id: str
    code: AlarmCode
    meaning: str
    status: AlarmStatus
    account_id: str | None
    order_id: str | None
    slice_id: str | None
    detail: Mapping[str, Any]
    note: str | None
    occurrences: int
    first_seen_at: datetime
    opened_at: datetime
    last_seen_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None


class AlarmPage(Answer):
    """Alarms, the latest first; `next_cursor` is None on the last page."""

    alarms: list[Alarm]
    next_cursor: str | None


class AlarmHappening(Answer):
    """Something that happened to an alarm, and who did it."""

    type: str
    at: datetime
    actor: str
    actor_name: str
    detail: Mapping[str, Any]


class AlarmHistory(Answer):
    alarm: Alarm
    events: list[AlarmHappening]


class AlarmEvent(AlarmHappening):
    """`event_id` rises by one from event to event of all alarms."""

    event_id: int
    alarm_id: str
    code: AlarmCode
    account_id: str | None
    order_id: str | None
    slice_id: str | None


class AlarmEventPage(Answer):
    """Events in their order; `next_after` is None when there were no others yet."""

    events: list[AlarmEvent]
    next_after: int | None
    next_cursor: str | None
