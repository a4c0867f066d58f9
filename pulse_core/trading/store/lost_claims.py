"""Attempts that the database lost with its last commits: how to recognise them, and how to record them again."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from pulse_core.trading.tables import Order, OrderSlice, Placement
from pulse_core.trading.vocabulary import PlacementOutcome


def known(session: Session, client_order_ids: Collection[str]) -> set[str]:
    """Those of these ids that belong to a recorded attempt."""
    rows = select(Placement.client_order_id).where(Placement.client_order_id.in_(client_order_ids))
    return set(session.scalars(rows))


def attempts_made(session: Session, broker_account: str, since: datetime, until: datetime) -> Sequence[tuple[str, int]]:
    """(slice id, attempts) of all slices of this account whose time came by `until`, in a window open after `since`."""
    rows = select(OrderSlice.id, OrderSlice.attempts).join(Order, Order.id == OrderSlice.order_id)
    came = rows.where(Order.broker_account == broker_account, Order.end_at >= since, OrderSlice.scheduled_at <= until)
    return [(slice_id, attempts) for slice_id, attempts in session.execute(came)]


def record(
    session: Session,
    client_order_id: str,
    slice_id: str,
    attempt: int,
    quantity: int,
    broker_account: str,
    broker_order_id: str | None,
    now: datetime,
) -> Placement:
    """Record an attempt found in the broker's book; without a broker order, one of which it shows no trace."""
    outcome = PlacementOutcome.ABSENT if broker_order_id is None else PlacementOutcome.ACKNOWLEDGED
    row: dict[str, Any] = {
        "client_order_id": client_order_id,
        "slice_id": slice_id,
        "attempt": attempt,
        "quantity": quantity,
        "broker_account": broker_account,
        "broker_order_id": broker_order_id,
        "outcome": outcome,
        "claimed_at": now,
    }
    return session.scalars(insert(Placement).returning(Placement), [row]).one()
