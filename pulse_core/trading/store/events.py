"""The append-only record of everything that happened to an order."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, insert, select
from sqlalchemy.orm import Session

from api_contract.log import get_logger
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import alarms
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


def add_all(
    session: Session,
    kind: EventKind,
    order_id: str,
    told: Sequence[tuple[str, Moved | None, Mapping[str, Any]]],
    now: datetime,
) -> None:
    """Record one event for each slice of an order: its id, how it moved if it did, and the detail."""
    if told:
        rows = [_row(kind, order_id, slice_id, now, moved, detail) for slice_id, moved, detail in told]
        session.execute(_ADDED, rows)


def alarm(session: Session, code: AlarmCode, order_id: str, slice_id: str | None, now: datetime, **detail: Any) -> None:
    """Record and log something that an operator must see, and raise its alarm in the inbox."""
    add(session, EventKind.ALARM, order_id, slice_id, now, alarm=code.meaning, code=code, **detail)
    alarms.raise_alarm(session, code, now, _plain(detail), order_id, slice_id)
    log.error("alarm raised", alarm=code.meaning, code=code, order_id=order_id, slice_id=slice_id, **detail)


def was_raised(session: Session, slice_id: str, code: AlarmCode, **about: str) -> bool:
    """Whether this alarm was raised before about the same thing, such as one broker order of the slice."""
    said = SliceEvent.detail.contains({"code": code, **about})
    rows = exists().where(SliceEvent.slice_id == slice_id, SliceEvent.kind == EventKind.ALARM, said)
    return bool(session.scalar(select(rows)))


def raised_about(session: Session, slice_ids: Collection[str], code: AlarmCode) -> set[str]:
    """The client order ids of attempts of these slices about which this alarm was raised before."""
    about = SliceEvent.detail["client_order_id"].astext
    said = SliceEvent.detail.contains({"code": code})
    rows = select(about).where(SliceEvent.slice_id.in_(slice_ids), SliceEvent.kind == EventKind.ALARM, said)
    return {client_order_id for client_order_id in session.scalars(rows) if client_order_id}


def was_raised_for(session: Session, order_id: str, code: AlarmCode) -> bool:
    """Whether this alarm was raised before about any slice of the order."""
    said = SliceEvent.detail.contains({"code": code})
    rows = exists().where(SliceEvent.order_id == order_id, SliceEvent.kind == EventKind.ALARM, said)
    return bool(session.scalar(select(rows)))


def of_slice(session: Session, slice_id: str) -> Sequence[SliceEvent]:
    """Every event of one slice, oldest first."""
    return session.scalars(select(SliceEvent).where(SliceEvent.slice_id == slice_id).order_by(SliceEvent.id)).all()


def of_order(session: Session, order_id: str) -> Sequence[SliceEvent]:
    """Every event of an order and its slices, oldest first."""
    return session.scalars(select(SliceEvent).where(SliceEvent.order_id == order_id).order_by(SliceEvent.id)).all()


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
