"""The inbox of alarms: one row for one cause, and what happened to it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, bindparam, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from ulid import ULID

from api_contract import ids
from api_contract.alarms import AlarmEventKind, AlarmStatus
from pulse_core.events.names import PULSE
from pulse_core.events.tables import AlarmEvent
from pulse_core.trading.alarm_tables import Alarm
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.tables import Order

INSTALLATION = "installation"


@dataclass(frozen=True)
class AlarmFilters:
    """What a listing is narrowed to; `is_unresolved` leaves out what is done with."""

    status: AlarmStatus | None = None
    code: AlarmCode | None = None
    order_id: str | None = None
    account_id: str | None = None
    is_unresolved: bool = False


def knows(session: Session, order_id: str, code: AlarmCode) -> bool:
    """Whether there is an alarm with this code about the order or a slice of it, dealt with or not."""
    return bool(session.scalar(select(exists().where(Alarm.order_id == order_id, Alarm.code == code))))


def raise_alarm(
    session: Session,
    code: AlarmCode,
    now: datetime,
    detail: Mapping[str, Any],
    order_id: str | None = None,
    slice_id: str | None = None,
    subject: str | None = None,
    account_id: str | None = None,
) -> None:
    """Open the alarm of this cause, or count it once more; one that was resolved opens again.

    Without an order it is about the installation as a whole, or the `subject` that is named.
    """
    subject = slice_id or order_id or subject or INSTALLATION
    row = {
        "id": ids.alarm_id(ULID.from_datetime(now)),
        "code": code,
        "subject": subject,
        "status": AlarmStatus.OPEN,
        "order_id": order_id,
        "slice_id": slice_id,
        "detail": dict(detail),
        "occurrences": 1,
        "first_seen_at": now,
        "opened_at": now,
        "last_seen_at": now,
    }
    raised = session.scalar(_ADD, {**row, "of_order": order_id, "of_account": account_id}) or _count_again(
        session, code, subject, now, detail
    )
    if raised is not None:
        _tell(session, raised, AlarmEventKind.RAISED, PULSE, now, **detail)


def move(session: Session, alarm: Alarm, to: AlarmStatus, actor: str, now: datetime) -> None:
    """Acknowledge or resolve a locked alarm."""
    who = "acknowledged" if to is AlarmStatus.ACKNOWLEDGED else "resolved"
    changes: dict[str, Any] = {f"{who}_at": now, f"{who}_by": actor}
    _set(session, alarm, status=to, **changes)
    _tell(session, alarm, AlarmEventKind(to.value), actor, now)


def note(session: Session, alarm: Alarm, text: str, actor: str, now: datetime) -> None:
    """Keep a note with a locked alarm, in place of the one before."""
    _set(session, alarm, note=text)
    _tell(session, alarm, AlarmEventKind.NOTED, actor, now, note=text)


def get(session: Session, alarm_id: str, *, locked: bool = False) -> Alarm | None:
    rows = select(Alarm).where(Alarm.id == alarm_id)
    if locked:
        rows = rows.with_for_update()
    return session.scalar(rows.execution_options(populate_existing=True))


def page(session: Session, filters: AlarmFilters, limit: int, beyond: str | None) -> Sequence[Alarm]:
    """Up to `limit` alarms, the latest first seen first, those after the id `beyond`."""
    stated = (
        (Alarm.status, filters.status),
        (Alarm.code, filters.code),
        (Alarm.order_id, filters.order_id),
        (Alarm.account_id, filters.account_id),
    )
    rows = select(Alarm).where(*(column == value for column, value in stated if value is not None))
    if filters.is_unresolved:
        rows = rows.where(is_unresolved())
    if beyond is not None:
        rows = rows.where(Alarm.id < beyond)
    return session.scalars(rows.order_by(Alarm.id.desc()).limit(limit)).all()


def history(session: Session, alarm_id: str, limit: int) -> Sequence[AlarmEvent]:
    """The latest `limit` things that happened to an alarm, oldest first."""
    rows = select(AlarmEvent).where(AlarmEvent.alarm_id == alarm_id).order_by(AlarmEvent.id.desc()).limit(limit)
    return session.scalars(rows).all()[::-1]


def open_by_code(session: Session) -> dict[AlarmCode, int]:
    """How many alarms of each code are not resolved; codes without one are left out. Reads a partial index only."""
    counted = session.execute(
        select(Alarm.code, func.count().label("open")).where(is_unresolved()).group_by(Alarm.code)
    )
    return {row.code: row.open for row in counted}


def is_over(session: Session, code: AlarmCode, subject: str) -> bool:
    """Whether Pulse itself saw this trouble end: what is met after that is met anew."""
    return bool(over(session, code, [subject]))


def over(session: Session, code: AlarmCode, subjects: Collection[str]) -> set[str]:
    """Those of these subjects whose trouble Pulse itself saw end."""
    ended = select(Alarm.subject).where(
        Alarm.code == code,
        Alarm.subject.in_(subjects),
        Alarm.status == AlarmStatus.RESOLVED,
        Alarm.resolved_by == PULSE,
    )
    return set(session.scalars(ended))


def is_unresolved() -> ColumnElement[bool]:
    """The condition of the partial index."""
    return Alarm.status != AlarmStatus.RESOLVED


def _count_again(
    session: Session, code: AlarmCode, subject: str, now: datetime, detail: Mapping[str, Any]
) -> Alarm | None:
    """The alarm if it was opened again, None if it was open already."""
    rows = select(Alarm).where(Alarm.code == code, Alarm.subject == subject)
    seen = session.scalars(rows.with_for_update().execution_options(populate_existing=True)).one()
    counted = {"occurrences": seen.occurrences + 1, "last_seen_at": max(now, seen.last_seen_at), "detail": dict(detail)}
    if seen.status is not AlarmStatus.RESOLVED:
        _set(session, seen, **counted)
        return None
    nobody = dict.fromkeys(("acknowledged_at", "acknowledged_by", "resolved_at", "resolved_by"))
    _set(session, seen, status=AlarmStatus.OPEN, opened_at=now, **nobody, **counted)
    return seen


def _set(session: Session, alarm: Alarm, **changes: Any) -> None:
    changed = update(Alarm).where(Alarm.id == alarm.id).values(**changes).returning(Alarm)
    session.scalar(changed.execution_options(synchronize_session=False, populate_existing=True))


def _tell(session: Session, alarm: Alarm, kind: AlarmEventKind, actor: str, now: datetime, **detail: Any) -> None:
    about = {name: getattr(alarm, name) for name in ("code", "account_id", "order_id", "slice_id")}
    session.execute(_TOLD, {"alarm_id": alarm.id, **about, "at": now, "kind": kind, "actor": actor, "detail": detail})


_OWNER = select(Order.account_id).where(Order.id == bindparam("of_order")).scalar_subquery()
_ADD = (
    insert(Alarm)
    .values(account_id=func.coalesce(bindparam("of_account", type_=String), _OWNER))
    .on_conflict_do_nothing(index_elements=["code", "subject"])
    .returning(Alarm)
)
_TOLD = insert(AlarmEvent.__table__)  # type: ignore[arg-type]
