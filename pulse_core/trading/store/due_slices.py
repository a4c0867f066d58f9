"""Slices that come due: handed to Celery, overdue, waiting for their market, or claimed for too long."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    and_,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from api_contract.vocabulary import OrderStatus, Side, SliceStatus
from pulse_core.postgres.bounded import chosen_once
from pulse_core.trading.store.conditions import any_of, status_is
from pulse_core.trading.store.holds import is_free
from pulse_core.trading.store.slices import HINT_LIFETIME, change_in_order
from pulse_core.trading.tables import Order, OrderSlice


@dataclass(frozen=True)
class DueSlice:
    """A slice that comes due, and what is told of it to people who look at its task."""

    id: str
    due_at: datetime
    trace: dict[str, str]
    order_id: str
    side: Side
    instrument: str
    num_splits: int
    quantity: int
    sequence_number: int


# As in DueSlice.
_DUE = (
    OrderSlice.id,
    OrderSlice.due_at,
    Order.trace,
    Order.id,
    Order.side,
    Order.instrument,
    Order.num_splits,
    OrderSlice.quantity,
    OrderSlice.sequence_number,
)


def take_due(
    session: Session, broker_account: str, horizon: datetime, now: datetime, limit: int, *, is_repeated: bool = True
) -> Sequence[DueSlice]:
    """Mark up to `limit` slices for this broker account, due before `horizon`, as handed to Celery.

    A hint that leads to nothing within HINT_LIFETIME counts as lost, and the slice is taken again if `is_repeated`.
    """
    due = (
        select(OrderSlice.id)
        .join(Order, Order.id == OrderSlice.order_id)
        .where(
            OrderSlice.status == SliceStatus.SCHEDULED,
            OrderSlice.due_at <= horizon,
            or_(OrderSlice.hinted_until.is_(None), and_(OrderSlice.hinted_until <= now, literal(is_repeated))),
            Order.status == OrderStatus.IN_PROGRESS,
            Order.broker_account == broker_account,
            is_free(),
        )
        .order_by(OrderSlice.due_at)
        .limit(limit)
        .with_for_update(of=OrderSlice, skip_locked=True, key_share=True)
    )
    taken = session.execute(
        update(OrderSlice)
        .where(OrderSlice.id.in_(chosen_once(due)), Order.id == OrderSlice.order_id)
        .values(hinted_until=func.greatest(OrderSlice.due_at, now) + HINT_LIFETIME)
        .returning(*_DUE)
        .execution_options(synchronize_session=False)
    )
    return [DueSlice(*row) for row in taken]


def overdue(session: Session, broker_account: str, before: datetime, limit: int) -> Sequence[str]:
    """Slices for this broker account that should have gone out before this instant and that nobody claimed."""
    rows = (
        select(OrderSlice.id)
        .join(Order, Order.id == OrderSlice.order_id)
        .where(
            OrderSlice.status == SliceStatus.SCHEDULED,
            OrderSlice.due_at <= before,
            Order.status == OrderStatus.IN_PROGRESS,
            Order.broker_account == broker_account,
            is_free(),
        )
        .order_by(OrderSlice.due_at)
        .limit(limit)
    )
    return session.scalars(rows).all()


def accounts_due(session: Session, now: datetime) -> frozenset[str]:
    """The broker accounts of slices that are due and unsent, whatever keeps them."""
    rows = select(Order.broker_account).join(OrderSlice, OrderSlice.order_id == Order.id).distinct()
    due = OrderSlice.status == SliceStatus.SCHEDULED, OrderSlice.due_at <= now
    return frozenset(session.scalars(rows.where(*due)))


def due_on(
    session: Session, broker_account: str, exchanges: Collection[str], now: datetime, limit: int
) -> Sequence[tuple[OrderSlice, Order]]:
    """Due slices for this broker account on these exchanges, with their orders, the oldest first."""
    rows = (
        select(OrderSlice, Order)
        .join(Order, Order.id == OrderSlice.order_id)
        .where(
            OrderSlice.status == SliceStatus.SCHEDULED,
            OrderSlice.due_at <= now,
            Order.status == OrderStatus.IN_PROGRESS,
            Order.broker_account == broker_account,
            any_of(func.split_part(Order.instrument, ":", 1), exchanges),
        )
    )
    found = session.execute(rows.order_by(OrderSlice.due_at).limit(limit).execution_options(populate_existing=True))
    return [(one, order) for one, order in found]


def put_off(session: Session, slice_ids: Sequence[str], now: datetime, due_at: datetime) -> None:
    """Have those of these slices that are due and unsent wait until `due_at`, without a turn."""
    waiting = select(OrderSlice.id).where(
        any_of(OrderSlice.id, slice_ids), status_is(OrderSlice.status, SliceStatus.SCHEDULED), OrderSlice.due_at <= now
    )
    change_in_order(session, waiting, {"due_at": due_at, "turn_at": None, "hinted_until": None, "updated_at": now})


def expired_claims(session: Session, now: datetime, limit: int) -> Sequence[str]:
    """Slices whose claim has outlived its lease."""
    rows = select(OrderSlice.id).where(OrderSlice.status == SliceStatus.SENDING, OrderSlice.lease_expires_at <= now)
    return session.scalars(rows.order_by(OrderSlice.lease_expires_at).limit(limit)).all()
