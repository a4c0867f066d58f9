"""The inbox of alarms: operators list them, take them on, resolve them and keep notes with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api_contract.alarms import LONGEST_ALARM_NOTE, AlarmEventKind, AlarmStatus
from api_contract.errors import InvalidRequest, InvalidState, NotFound
from api_contract.ids import ALARM_ID
from api_contract.log import get_logger
from api_contract.versions import Expected, etag_of
from pulse_core import cursors, db
from pulse_core.copies import copy_of
from pulse_core.events.names import PULSE
from pulse_core.trading.alarm_tables import Alarm
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import alarms, ended_alarms, halts, installation
from pulse_core.trading.store.alarms import AlarmFilters

__all__ = ["AlarmFilters", "AlarmHistory", "AlarmPage", "AlarmReport", "alarm_history", "alarm_page", "count_open"]

MOST_TOLD = 200

log = get_logger(__name__)


@dataclass(frozen=True)
class AlarmReport:
    """An alarm as operators see it. `meaning` says for a person what its code does for a program."""

    id: str
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


@dataclass(frozen=True)
class Happening:
    """One thing that happened to an alarm, and who did it."""

    at: datetime
    kind: AlarmEventKind
    actor: str
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class AlarmHistory:
    """An alarm with the latest things that happened to it, oldest first."""

    alarm: AlarmReport
    events: Sequence[Happening]


@dataclass(frozen=True)
class AlarmPage:
    """Alarms, the latest first, and the cursor of the next page, None on the last."""

    alarms: Sequence[AlarmReport]
    next_cursor: str | None


def alarm_page(filters: AlarmFilters, limit: int, cursor: str | None = None) -> AlarmPage:
    """Up to `limit` alarms of every account. Raises InvalidRequest for a cursor that Pulse did not give out."""
    beyond = None if cursor is None else cursors.decode(cursor, "alarms", ALARM_ID)
    with db.transaction() as session:
        found = alarms.page(session, filters, limit + 1, beyond)
    shown = found[:limit]
    next_cursor = cursors.encode(shown[-1].id, "alarms") if len(found) > limit else None
    return AlarmPage([_report(one) for one in shown], next_cursor)


def alarm_history(alarm_id: str) -> AlarmHistory:
    """One alarm and the latest that happened to it. Raises NotFound."""
    with db.transaction() as session:
        return _history(session, _existing(session, alarm_id, locked=False))


def acknowledge_alarm(alarm_id: str, actor: str, now: datetime, expected: Expected | None = None) -> AlarmReport:
    """Take an open alarm on; repeating it is harmless.

    Raises NotFound, PreconditionFailed unless it is as `expected`, InvalidState for one that is resolved.
    """
    with db.transaction() as session:
        alarm = _existing(session, alarm_id)
        _check_expected(session, alarm, expected)
        if alarm.status is AlarmStatus.RESOLVED:
            raise InvalidState(f"alarm {alarm.id} is resolved", {"status": alarm.status})
        if alarm.status is AlarmStatus.OPEN:
            _move(session, alarm, AlarmStatus.ACKNOWLEDGED, actor, now)
        return _report(alarm)


def resolve_alarm(alarm_id: str, actor: str, now: datetime, expected: Expected | None = None) -> AlarmReport:
    """Say that the cause of an alarm is dealt with; repeating it is harmless.

    Raises NotFound, PreconditionFailed unless it is as `expected`, and InvalidState for the alarm of a hold on all
    sending, or of a halt, that still stands.
    """
    with db.transaction() as session:
        alarm = _existing(session, alarm_id)
        _check_expected(session, alarm, expected)
        if alarm.code is AlarmCode.SENDING_HELD and installation.held(session) is not None:
            raise InvalidState(
                f"alarm {alarm.id} cannot be resolved while nothing is sent: it ends with the hold",
                {"status": alarm.status},
            )
        if alarm.code is AlarmCode.HALTED and alarm.subject in {one.id for one in halts.in_force(session)}:
            raise InvalidState(
                f"alarm {alarm.id} cannot be resolved while the halt is in force: it ends with its release",
                {"status": alarm.status},
            )
        if alarm.status is not AlarmStatus.RESOLVED:
            _move(session, alarm, AlarmStatus.RESOLVED, actor, now)
        return _report(alarm)


def note_alarm(alarm_id: str, note: str, actor: str, now: datetime, expected: Expected | None = None) -> AlarmReport:
    """Keep a note with an alarm, in place of the one before; repeating it is harmless.

    Raises NotFound, PreconditionFailed unless it is as `expected`, and InvalidRequest for a note that is empty or too
    long.
    """
    text = note.strip()
    if not 1 <= len(text) <= LONGEST_ALARM_NOTE or "\0" in text:
        raise InvalidRequest(f"note must have 1 to {LONGEST_ALARM_NOTE} characters", {"field": "note"})
    with db.transaction() as session:
        alarm = _existing(session, alarm_id)
        _check_expected(session, alarm, expected)
        if alarm.note != text:
            alarms.note(session, alarm, text, actor, now)
            log.info("alarm noted", alarm_id=alarm.id, code=alarm.code, actor=actor)
        return _report(alarm)


def count_open() -> dict[AlarmCode, int]:
    """How many alarms of each code are not resolved; codes without one are left out."""
    with db.transaction() as session:
        return alarms.open_by_code(session)


def resolve_alarms(now: datetime, limit: int = 200) -> int:
    """Resolve up to `limit` alarms whose trouble has ended; returns how many there were."""
    with db.transaction() as session:
        ended = ended_alarms.resolve_about_slices(session, now, limit)
        ended += ended_alarms.resolve_holds(session, now, limit)
        return ended + ended_alarms.resolve_hold(session, PULSE, now)


def _move(session: Session, alarm: Alarm, to: AlarmStatus, actor: str, now: datetime) -> None:
    alarms.move(session, alarm, to, actor, now)
    log.info("alarm moved", alarm_id=alarm.id, code=alarm.code, to=to, actor=actor)


def _existing(session: Session, alarm_id: str, *, locked: bool = True) -> Alarm:
    # Not every text can be asked of Postgres: a NUL would fail there.
    found = alarms.get(session, alarm_id, locked=locked) if ALARM_ID.fullmatch(alarm_id) else None
    if found is None:
        raise NotFound(f"there is no alarm {alarm_id}")
    return found


def _check_expected(session: Session, alarm: Alarm, expected: Expected | None) -> None:
    if expected is not None:
        expected.check(etag_of(_history(session, alarm)))


def _history(session: Session, alarm: Alarm) -> AlarmHistory:
    told = alarms.history(session, alarm.id, MOST_TOLD)
    return AlarmHistory(_report(alarm), [copy_of(one, Happening) for one in told])


def _report(alarm: Alarm) -> AlarmReport:
    alike = {name: getattr(alarm, name) for name in AlarmReport.__dataclass_fields__ if name != "meaning"}
    return AlarmReport(meaning=alarm.code.meaning, **alike)
