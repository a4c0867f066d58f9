"""Every attempt to place a slice: written before the request, completed after the answer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from api_contract.vocabulary import SliceStatus
from pulse_core.trading.store.conditions import any_of
from pulse_core.trading.tables import OrderSlice, Placement
from pulse_core.trading.vocabulary import PlacementOutcome

Rows = TypeVar("Rows", bound=Select[Any])


def complete(
    session: Session,
    client_order_id: str,
    outcome: PlacementOutcome,
    broker_order_id: str | None = None,
    ended_at: datetime | None = None,
) -> None:
    """Record how an attempt came out, and when its broker order ended if it has."""
    changes: dict[str, Any] = {"outcome": outcome}
    if ended_at is not None:
        changes["ended_at"] = ended_at
    if broker_order_id is not None:
        changes["broker_order_id"] = broker_order_id
    session.execute(update(Placement).where(Placement.client_order_id == client_order_id).values(**changes))


@dataclass(frozen=True)
class KnownOrder:
    """A broker order of ours, and the slice and the order it belongs to."""

    broker_order_id: str
    slice_id: str
    order_id: str
    has_ended: bool


def by_broker_order(session: Session, broker_account: str, broker_order_ids: Collection[str]) -> list[KnownOrder]:
    """Those of these broker orders that are ours; `has_ended` once its end was seen with all its fills."""
    rows = (
        select(Placement.broker_order_id, Placement.slice_id, OrderSlice.order_id, Placement.ended_at.is_not(None))
        .join(OrderSlice, OrderSlice.id == Placement.slice_id)
        .where(Placement.broker_account == broker_account, any_of(Placement.broker_order_id, broker_order_ids))
    )
    known = session.execute(rows)
    return [KnownOrder(found, slice_id, order_id, ended) for found, slice_id, order_id, ended in known if found]


def presumed_absent(session: Session, broker_account: str, since: datetime) -> Sequence[Placement]:
    """Attempts claimed since then that Pulse took for not placed and that have no broker order yet."""
    return session.scalars(_presumed_absent(select(Placement), broker_account, since)).all()


def has_presumed_absent(session: Session, broker_account: str, since: datetime) -> bool:
    """Whether there is such an attempt."""
    return (
        session.scalar(_presumed_absent(select(Placement.client_order_id), broker_account, since).limit(1)) is not None
    )


def acknowledged(session: Session, broker_account: str, since: datetime) -> Sequence[str]:
    """The known broker orders of attempts claimed since then."""
    rows = select(Placement.broker_order_id).where(
        Placement.broker_account == broker_account, Placement.claimed_at >= since
    )
    return [found for found in session.scalars(rows) if found]


def end(session: Session, broker_account: str, broker_order_ids: Collection[str], now: datetime) -> None:
    """These broker orders have ended, and all their fills are booked."""
    if broker_order_ids:
        ended = update(Placement).where(
            Placement.broker_account == broker_account,
            any_of(Placement.broker_order_id, broker_order_ids),
            Placement.ended_at.is_(None),
        )
        session.execute(ended.values(ended_at=now).execution_options(synchronize_session=False))


def live_beside(session: Session, slice_id: str, client_order_id: str | None) -> Placement | None:
    """The first attempt of the slice, other than the one of this id, that may be live at the broker."""
    rows = select(Placement).where(
        Placement.slice_id == slice_id,
        Placement.client_order_id != (client_order_id or ""),
        _may_be_live(),
    )
    return session.scalar(rows.order_by(Placement.attempt).limit(1))


def is_live_of(slice_id: ColumnElement[str] | InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """The condition that an attempt of the slice may be live at the broker."""
    return exists().where(Placement.slice_id == slice_id, _may_be_live())


def any_since(session: Session, broker_account: str, since: datetime) -> bool:
    """Whether anything was placed with this account, or may have been, since this instant."""
    made = exists().where(Placement.claimed_at >= since, Placement.broker_account == broker_account)
    return bool(session.scalar(select(made)))


def of_slice(session: Session, slice_id: str) -> Sequence[Placement]:
    """Every attempt to place one slice, in their order."""
    return session.scalars(select(Placement).where(Placement.slice_id == slice_id).order_by(Placement.attempt)).all()


def by_client_order_id(session: Session, client_order_id: str) -> Placement | None:
    return session.get(Placement, client_order_id)


def orphans(session: Session, broker_account: str, live_broker_order_ids: Collection[str]) -> Sequence[Placement]:
    """Attempts whose broker order is live although their slice works another order, or none."""
    is_worked = (OrderSlice.broker_order_id == Placement.broker_order_id) & (OrderSlice.status == SliceStatus.WORKING)
    rows = (
        select(Placement)
        .join(OrderSlice, OrderSlice.id == Placement.slice_id)
        .where(
            Placement.broker_account == broker_account,
            any_of(Placement.broker_order_id, live_broker_order_ids),
            ~func.coalesce(is_worked, False),
            # A slice that is being sent stops before the wire, and follows this attempt, or goes on to another.
            OrderSlice.status != SliceStatus.SENDING,
            (OrderSlice.status != SliceStatus.UNKNOWN) | (OrderSlice.client_order_id != Placement.client_order_id),
        )
    )
    return session.scalars(rows).all()


def _presumed_absent(rows: Rows, broker_account: str, since: datetime) -> Rows:
    gone = (PlacementOutcome.ABSENT, PlacementOutcome.NOT_SENT, PlacementOutcome.REFUSED)
    return rows.where(
        Placement.broker_account == broker_account,
        Placement.claimed_at >= since,
        Placement.outcome.in_(gone),
        Placement.broker_order_id.is_(None),
    )


def _may_be_live() -> ColumnElement[bool]:
    """Whether an attempt may have an order that can still trade; claim.sql and last_look.sql ask the same."""
    is_acknowledged = Placement.outcome == PlacementOutcome.ACKNOWLEDGED
    return or_(
        Placement.outcome.is_(None),
        Placement.outcome == PlacementOutcome.UNKNOWN,
        and_(is_acknowledged, Placement.ended_at.is_(None)),
    )
