"""The append-only record of everything that happened to an order."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, DateTime, String, bindparam, cast, exists, func, insert, select
from sqlalchemy.orm import Session

from api_contract.log import get_logger
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.postgres import sql
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import alarms
from pulse_core.trading.store.conditions import any_of
from pulse_core.trading.tables import Order

log = get_logger(__name__)

# The status before and after.
Moved = tuple[str | None, str]

# Made once: a slice has several events, and building the statement costs as much as running it.
_OWNER = select(Order.account_id).where(Order.id == bindparam("of_order")).scalar_subquery()
_ADDED = insert(SliceEvent.__table__).values(account_id=_OWNER)  # type: ignore[arg-type]


def add(
    session: Session,
    kind: EventKind,
    order_id: str,
    slice_id: str | None,
    now: datetime,
    moved: Moved | None = None,
    **detail: Any,
) -> None:
    """Record one event."""
    session.execute(_ADDED, _row(kind, order_id, slice_id, now, moved, detail))


@dataclass(frozen=True)
class Event:
    """Something that happened to an order, or to the slice of it: how it moved if it did, and the detail.

    With a `code` it is an alarm.
    """

    kind: EventKind
    order_id: str
    slice_id: str | None
    moved: Moved | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    code: AlarmCode | None = None


def an_alarm(code: AlarmCode, order_id: str, slice_id: str | None, **detail: Any) -> Event:
    """The event of something that an operator must see."""
    return Event(EventKind.ALARM, order_id, slice_id, detail=detail, code=code)


def add_all(session: Session, told: Sequence[Event], now: datetime) -> None:
    """Record these events in their order, in one statement however many they are, and raise the alarms among them."""
    if not told:
        return
    moves = [one.moved or (None, None) for one in told]
    session.execute(
        _ADD_ALL,
        {
            "now": now,
            "kinds": [one.kind.value for one in told],
            "order_ids": [one.order_id for one in told],
            "slice_ids": [one.slice_id for one in told],
            "from_statuses": [seen for seen, _to in moves],
            "to_statuses": [to for _seen, to in moves],
            "details": [json.dumps(_plain(_told(one))) for one in told],
        },
    )
    for one in told:
        if one.code is not None:
            _raise_alarm(session, one.code, one.order_id, one.slice_id, now, one.detail)


def alarm(session: Session, code: AlarmCode, order_id: str, slice_id: str | None, now: datetime, **detail: Any) -> None:
    """Record and log something that an operator must see, and raise its alarm in the inbox."""
    add(session, EventKind.ALARM, order_id, slice_id, now, **_alarming(code, detail))
    _raise_alarm(session, code, order_id, slice_id, now, detail)


def was_raised(session: Session, slice_id: str, code: AlarmCode, **about: str) -> bool:
    """Whether this alarm was raised before about the same thing, such as one broker order of the slice."""
    said = SliceEvent.detail.contains({"code": code, **about})
    rows = exists().where(SliceEvent.slice_id == slice_id, SliceEvent.kind == EventKind.ALARM, said)
    return bool(session.scalar(select(rows)))


def raised_about(session: Session, slice_ids: Collection[str], code: AlarmCode) -> set[str]:
    """The client order ids of attempts of these slices about which this alarm was raised before."""
    about = SliceEvent.detail["client_order_id"].astext
    said = SliceEvent.detail.contains({"code": code})
    rows = select(about).where(any_of(SliceEvent.slice_id, slice_ids), SliceEvent.kind == EventKind.ALARM, said)
    return {client_order_id for client_order_id in session.scalars(rows) if client_order_id}


def was_raised_for(session: Session, order_id: str, code: AlarmCode) -> bool:
    """Whether this alarm was raised before about any slice of the order."""
    said = SliceEvent.detail.contains({"code": code})
    rows = exists().where(SliceEvent.order_id == order_id, SliceEvent.kind == EventKind.ALARM, said)
    return bool(session.scalar(select(rows)))


def planned_quantities(session: Session, order_id: str) -> dict[str, int]:
    """What was planned of those slices of an order that were lowered since, by slice id."""
    if not alarms.knows(session, order_id, AlarmCode.SLICE_LOWERED):
        return {}
    said = SliceEvent.detail.contains({"code": AlarmCode.SLICE_LOWERED})
    planned = cast(SliceEvent.detail["lowered_from"].astext, BigInteger)
    rows = select(SliceEvent.slice_id, func.max(planned)).where(
        SliceEvent.order_id == order_id, SliceEvent.kind == EventKind.ALARM, said
    )
    return {slice_id or "": most for slice_id, most in session.execute(rows.group_by(SliceEvent.slice_id))}


def count_refusals(session: Session, slice_id: str, scope: str) -> int:
    """How often the broker has refused this slice for a cause of this scope."""
    said = SliceEvent.detail.contains({"call": "place", "scope": scope})
    rows = select(func.count()).where(SliceEvent.slice_id == slice_id, SliceEvent.kind == EventKind.BROKER_CALL, said)
    return session.scalar(rows) or 0


def before_amendments(session: Session, order_id: str) -> dict[str, Any]:
    """The fields of an order that were amended, as they were at first, in the forms of JSON."""
    told = select(SliceEvent.detail).where(SliceEvent.order_id == order_id, SliceEvent.kind == EventKind.AMENDED)
    first: dict[str, Any] = {}
    for detail in session.scalars(told.order_by(SliceEvent.id)):
        first.setdefault(detail["field"], detail["before"])
    return first


def count_holds(session: Session, order_id: str, reason: str) -> int:
    """How often the order was held for this reason."""
    said = SliceEvent.detail.contains({"reason": reason})
    rows = select(func.count()).where(SliceEvent.order_id == order_id, SliceEvent.kind == EventKind.HELD, said)
    return session.scalar(rows) or 0


def of_slice(session: Session, order_id: str, slice_id: str) -> Sequence[SliceEvent]:
    """Every event of one slice of an order, oldest first."""
    rows = select(SliceEvent).where(SliceEvent.order_id == order_id, SliceEvent.slice_id == slice_id)
    return session.scalars(rows.order_by(SliceEvent.id)).all()


def of_order(session: Session, order_id: str) -> Sequence[SliceEvent]:
    """Every event of an order and its slices, oldest first."""
    return session.scalars(select(SliceEvent).where(SliceEvent.order_id == order_id).order_by(SliceEvent.id)).all()


def _raise_alarm(
    session: Session,
    code: AlarmCode,
    order_id: str,
    slice_id: str | None,
    now: datetime,
    detail: Mapping[str, Any],
) -> None:
    alarms.raise_alarm(session, code, now, _plain(detail), order_id, slice_id)
    log.error("alarm raised", alarm=code.meaning, code=code, order_id=order_id, slice_id=slice_id, **detail)


def _told(event: Event) -> Mapping[str, Any]:
    return event.detail if event.code is None else _alarming(event.code, event.detail)


def _alarming(code: AlarmCode, detail: Mapping[str, Any]) -> dict[str, Any]:
    return {"alarm": code.meaning, "code": code, **detail}


def _row(
    kind: EventKind,
    order_id: str,
    slice_id: str | None,
    now: datetime,
    moved: Moved | None,
    detail: Mapping[str, Any],
) -> dict[str, Any]:
    seen, to = moved or (None, None)
    row = {"order_id": order_id, "slice_id": slice_id, "at": now, "kind": kind, "from_status": seen, "to_status": to}
    return {**row, "of_order": order_id, "detail": _plain(detail)}


def _plain(detail: Mapping[str, Any]) -> dict[str, Any]:
    plain = (int, str, bool, type(None))
    return {name: value if isinstance(value, plain) else str(value) for name, value in detail.items()}


_ADD_ALL = sql.load(
    __package__,
    "add_events",
    {"now": DateTime(timezone=True)}
    | dict.fromkeys(("kinds", "order_ids", "slice_ids", "from_statuses", "to_statuses", "details"), ARRAY(String())),
)
