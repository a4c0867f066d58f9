"""Every attempt to place a slice: written before the request, completed after the answer."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, insert, select, update
from sqlalchemy.orm import Session

from pulse_core.domain.enums import PlacementOutcome, SliceStatus
from pulse_core.models import OrderSlice, Placement


def add(session: Session, one: OrderSlice, client_order_id: str, quantity: int, broker: str, now: datetime) -> None:
    """Record the intent to place `quantity` shares of a slice that was just claimed."""
    session.execute(
        insert(Placement).values(
            client_order_id=client_order_id,
            slice_id=one.id,
            attempt=one.attempts,
            quantity=quantity,
            broker=broker,
            claimed_at=now,
        )
    )


def complete(
    session: Session, client_order_id: str, outcome: PlacementOutcome, broker_order_id: str | None = None
) -> None:
    """Record how an attempt ended."""
    changes: dict[str, Any] = {"outcome": outcome}
    if broker_order_id is not None:
        changes["broker_order_id"] = broker_order_id
    session.execute(update(Placement).where(Placement.client_order_id == client_order_id).values(**changes))


def by_broker_order(session: Session, broker: str, broker_order_ids: Collection[str]) -> dict[str, str]:
    """Slice ids by broker order id, for those of these broker orders that are ours."""
    rows = select(Placement.broker_order_id, Placement.slice_id).where(
        Placement.broker == broker, Placement.broker_order_id.in_(broker_order_ids)
    )
    return {broker_order_id: slice_id for broker_order_id, slice_id in session.execute(rows) if broker_order_id}


def written_off(session: Session, broker: str, client_order_ids: Collection[str]) -> Sequence[Placement]:
    """Attempts, among these, that Pulse took for not placed and that have no broker order yet."""
    gone = (PlacementOutcome.ABSENT, PlacementOutcome.NOT_SENT, PlacementOutcome.REFUSED)
    rows = select(Placement).where(
        Placement.broker == broker,
        Placement.client_order_id.in_(client_order_ids),
        Placement.outcome.in_(gone),
        Placement.broker_order_id.is_(None),
    )
    return session.scalars(rows).all()


def any_since(session: Session, since: datetime) -> bool:
    """Whether anything was placed, or may have been, since this instant."""
    return bool(session.scalar(select(exists().where(Placement.claimed_at >= since))))


def of_slice(session: Session, slice_id: str) -> Sequence[Placement]:
    """Every attempt to place one slice, in their order."""
    return session.scalars(select(Placement).where(Placement.slice_id == slice_id).order_by(Placement.attempt)).all()


def by_client_order_id(session: Session, client_order_id: str) -> Placement | None:
    return session.get(Placement, client_order_id)


def strays(session: Session, broker: str, live_broker_order_ids: Collection[str]) -> Sequence[Placement]:
    """Attempts whose broker order is live although their slice works another order, or none."""
    is_worked = (OrderSlice.broker_order_id == Placement.broker_order_id) & (OrderSlice.status == SliceStatus.WORKING)
    rows = (
        select(Placement)
        .join(OrderSlice, OrderSlice.id == Placement.slice_id)
        .where(
            Placement.broker == broker,
            Placement.broker_order_id.in_(live_broker_order_ids),
            ~func.coalesce(is_worked, False),
            OrderSlice.status.not_in((SliceStatus.SENDING, SliceStatus.UNKNOWN))
            | (OrderSlice.client_order_id != Placement.client_order_id),
        )
    )
    return session.scalars(rows).all()
