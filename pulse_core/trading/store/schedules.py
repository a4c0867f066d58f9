"""The unsent slices of an order as they are planned anew, and when that is to be done next."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, String, or_, select, update
from sqlalchemy.orm import Session

from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.metrics.slices import note_slices
from pulse_core.postgres import sql
from pulse_core.trading.store import placements
from pulse_core.trading.store.conditions import any_of, status_is
from pulse_core.trading.store.holds import is_free
from pulse_core.trading.store.slices import END_UNSEEN
from pulse_core.trading.tables import Order, OrderSlice


@dataclass(frozen=True)
class Retimed:
    """An unsent slice with another time or another quantity."""

    slice_id: str
    due_at: datetime
    quantity: int


@dataclass(frozen=True)
class AddedSlice:
    """A slice that an order did not have when it was split."""

    id: str
    sequence_number: int
    quantity: int
    due_at: datetime
    is_last: bool


def lock_unsent(session: Session, order_id: str) -> set[str]:
    """The unsent slices of a locked order, locked; one that a worker is claiming is left out, and not waited for."""
    rows = select(OrderSlice.id).where(OrderSlice.order_id == order_id, OrderSlice.status == SliceStatus.SCHEDULED)
    return set(session.scalars(rows.with_for_update(key_share=True, skip_locked=True)))


def in_doubt(session: Session, order_id: str) -> set[str]:
    """The slices of an order that may have more fills than are known: an attempt of them may be live at the broker.

    Or it ended unseen: until an operator has settled it, what it lacks comes back into no plan.
    """
    is_in_doubt = or_(placements.is_live_of(OrderSlice.id), OrderSlice.error_code == END_UNSEEN)
    rows = select(OrderSlice.id).where(OrderSlice.order_id == order_id, is_in_doubt)
    return set(session.scalars(rows))


def retime(session: Session, retimed: Sequence[Retimed], now: datetime) -> None:
    """Give unsent slices, locked by the caller, other times and quantities; a turn before its time is given back."""
    if retimed:
        session.execute(
            _RETIME,
            {
                "now": now,
                "ids": [one.slice_id for one in retimed],
                "due_at": [one.due_at for one in retimed],
                "quantities": [one.quantity for one in retimed],
            },
        )


def add(session: Session, order_id: str, added: Sequence[AddedSlice], now: datetime) -> None:
    """Give a locked order further slices."""
    for one in added:
        session.add(
            OrderSlice(
                id=one.id,
                order_id=order_id,
                sequence_number=one.sequence_number,
                quantity=one.quantity,
                scheduled_at=one.due_at,
                due_at=one.due_at,
                status=SliceStatus.SCHEDULED,
                attempts=0,
                failures=0,
                filled_quantity=0,
                is_last=one.is_last,
                updated_at=now,
            )
        )
    session.flush()
    db.after_commit(session, partial(note_slices, SliceStatus.SCHEDULED, len(added)))


def change(session: Session, order: Order, **changes: Any) -> None:
    """Set columns of a locked order that say how it is planned."""
    session.scalar(
        update(Order)
        .where(Order.id == order.id)
        .values(**changes)
        .returning(Order)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def ask(session: Session, order_ids: Collection[str], at: datetime) -> None:
    """Have locked orders planned anew at this instant, unless it is to be done before."""
    later = or_(Order.replan_at.is_(None), Order.replan_at > at)
    rows = update(Order).where(any_of(Order.id, order_ids), later)
    session.execute(rows.values(replan_at=at).execution_options(synchronize_session=False))


def asked_for(session: Session, now: datetime, limit: int) -> Sequence[str]:
    """Orders that are to be planned anew by now, and are held by nothing."""
    rows = select(Order.id).where(
        Order.replan_at <= now,
        Order.replan_at.is_not(None),
        status_is(Order.status, OrderStatus.IN_PROGRESS),
        is_free(),
    )
    return session.scalars(rows.order_by(Order.replan_at).limit(limit)).all()


def orders_of(session: Session, slice_ids: Collection[str]) -> Sequence[str]:
    """The orders of these slices, each once."""
    return session.scalars(select(OrderSlice.order_id).where(any_of(OrderSlice.id, slice_ids)).distinct()).all()


def kept_back(session: Session, slice_ids: Collection[str], now: datetime) -> set[str]:
    """Those of these due slices that are not claimed because more of their order is due than may go out.

    Or because they are late, and their order's policy does not send what is late as it is.
    """
    return set(session.scalars(_KEPT_BACK, {"slice_ids": list(slice_ids), "now": now}))


def crowded(session: Session, broker_account: str, now: datetime, limit: int) -> Sequence[str]:
    """Orders for this broker account of which more is due than may go out in an interval.

    And those whose policy does not send what is late as it is, with something that is late.
    """
    return session.scalars(_CROWDED, {"broker_account": broker_account, "now": now, "limit": limit}).all()


_AT = DateTime(timezone=True)
_RETIME = sql.load(
    __package__,
    "retime_slices",
    {"now": _AT, "ids": ARRAY(String()), "due_at": ARRAY(_AT), "quantities": ARRAY(BigInteger())},
)
_CROWDED = sql.load(__package__, "crowded", {"broker_account": String(), "now": _AT, "limit": Integer()}).columns(
    id=String()
)
_KEPT_BACK = sql.load(__package__, "kept_back", {"slice_ids": ARRAY(String()), "now": _AT}).columns(id=String())
