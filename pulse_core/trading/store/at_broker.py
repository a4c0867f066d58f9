"""Slices that are at the broker, or may be: what works there, what is in doubt, what is called back."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Interval,
    Select,
    and_,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session

from api_contract.vocabulary import AtEnd, OrderStatus, SliceStatus
from pulse_core.trading.store import halts
from pulse_core.trading.store.conditions import any_of
from pulse_core.trading.store.slices import SENT_AT, change_in_order
from pulse_core.trading.tables import Order, OrderSlice, Placement

Rows = TypeVar("Rows", bound=Select[Any])


def to_resolve(session: Session, broker_account: str, now: datetime, limit: int) -> Sequence[OrderSlice]:
    """UNKNOWN slices whose next look into this broker account's book is due."""
    rows = _unknown(select(OrderSlice), broker_account).where(OrderSlice.resolve_at <= now)
    return session.scalars(rows.order_by(OrderSlice.resolve_at).limit(limit)).all()


def accounts_in_doubt(session: Session) -> frozenset[str]:
    """The broker accounts at which anything is in doubt."""
    return frozenset(session.scalars(_accounts().where(OrderSlice.status == SliceStatus.UNKNOWN)))


def has_unknown(session: Session, broker_account: str) -> bool:
    """Whether anything is in doubt at this broker account."""
    return session.scalar(_unknown(select(OrderSlice.id), broker_account).limit(1)) is not None


def begin_delays_anew(session: Session, broker_account: str, now: datetime) -> None:
    """Forget since when UNKNOWN slices have been absent from this broker account's book."""
    waiting = _unknown(select(OrderSlice.id), broker_account).where(OrderSlice.absent_since.is_not(None))
    change_in_order(session, waiting, {"absent_since": None, "updated_at": now})


def postpone_looks(session: Session, slice_ids: Sequence[str], until: datetime, now: datetime) -> None:
    """Postpone the next check of these UNKNOWN slices, and restart their settle delay."""
    unknown = select(OrderSlice.id).where(any_of(OrderSlice.id, slice_ids), OrderSlice.status == SliceStatus.UNKNOWN)
    change_in_order(session, unknown, {"resolve_at": until, "absent_since": None, "updated_at": now})


def working(session: Session) -> Mapping[str, Mapping[str, str]]:
    """Every slice that is live at a broker: of each account its ids by broker order id, the nearest deadline first."""
    rows = (
        select(Order.broker_account, OrderSlice.broker_order_id, OrderSlice.id)
        .join(Order, Order.id == OrderSlice.order_id)
        .where(OrderSlice.status == SliceStatus.WORKING)
    )
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for broker_account, broker_order_id, slice_id in session.execute(rows.order_by(OrderSlice.deadline_at)):
        if broker_order_id:
            found[broker_account][broker_order_id] = slice_id
    return found


def oldest_at_the_broker(session: Session, broker_account: str) -> datetime | None:
    """When the oldest of this account's slices was sent that works there, or may."""
    rows = (
        select(func.min(SENT_AT))
        .select_from(OrderSlice)
        .join(Order, Order.id == OrderSlice.order_id)
        .join(Placement, Placement.client_order_id == OrderSlice.client_order_id)
        .where(
            OrderSlice.status.in_((SliceStatus.WORKING, SliceStatus.UNKNOWN)), Order.broker_account == broker_account
        )
    )
    return session.scalar(rows)


def accounts_to_cancel(session: Session, now: datetime, pauses: tuple[timedelta, timedelta]) -> frozenset[str]:
    """The broker accounts of which `to_cancel` may find slices, sent whenever."""
    return frozenset(session.scalars(_accounts().where(*_is_to_be_cancelled(now, pauses))))


def to_cancel(
    session: Session,
    broker_account: str,
    sent_since: datetime,
    now: datetime,
    pauses: tuple[timedelta, timedelta],
    limit: int,
) -> Sequence[tuple[OrderSlice, bool]]:
    """This broker account's slices, sent since an instant, that work past their deadline, are called back, or halted;
    and whether they are called back by a halt.

    An order that is being cancelled calls its slices back, and a paused one that was asked to.

    With them those of orders that end with a slice at market, when their window is over. What is halted comes first,
    then what was asked for least often. The first of the `pauses` comes after the first request, twice as
    long a one after each further request, and the second of them is the longest.
    """
    is_halted = halts.is_called_back().label("is_halted")
    rows = (
        select(OrderSlice, is_halted)
        .join(Order, Order.id == OrderSlice.order_id)
        .join(Placement, Placement.client_order_id == OrderSlice.client_order_id)
        .where(Order.broker_account == broker_account, SENT_AT.op(">=")(sent_since), *_is_to_be_cancelled(now, pauses))
        .order_by(
            is_halted.desc(),
            OrderSlice.cancel_asks,
            OrderSlice.cancel_asked_at.asc().nulls_first(),
            OrderSlice.deadline_at,
        )
        .limit(limit)
    )
    return [(one, is_called) for one, is_called in session.execute(rows)]


def _is_to_be_cancelled(now: datetime, pauses: tuple[timedelta, timedelta]) -> Sequence[ColumnElement[bool]]:
    """That a slice works, is not to work any longer, and was not asked about a moment ago."""
    shortest, longest = (literal(pause, Interval) for pause in pauses)
    doublings = func.least(func.greatest(OrderSlice.cancel_asks, 1) - 1, 20)
    asked_until = OrderSlice.cancel_asked_at + func.least(
        shortest.op("*", return_type=Interval())(func.power(2, doublings)), longest
    )
    return (
        OrderSlice.status == SliceStatus.WORKING,
        or_(
            OrderSlice.deadline_at <= now,
            Order.status == OrderStatus.CANCELLING,
            and_(Order.status == OrderStatus.PAUSED, Order.recalls_working),
            _is_called_back(now),
            halts.is_called_back(),
        ),
        or_(OrderSlice.cancel_asked_at.is_(None), asked_until <= now),
    )


def makes_room(order: Order, one: OrderSlice, now: datetime) -> bool:
    """Whether this slice, which works, is to make room for the last slice of its order."""
    is_due = order.at_end is AtEnd.MARKET and order.replan_at is not None and order.replan_at <= now
    return is_due and order.end_at <= now and not one.is_last


def _is_called_back(now: datetime) -> ColumnElement[bool]:
    """Whether what works of an order is to make room for its last slice."""
    return and_(Order.at_end == AtEnd.MARKET, Order.replan_at <= now, Order.end_at <= now, ~OrderSlice.is_last)


def left_working(session: Session, broker_account: str, sent_before: datetime) -> Sequence[OrderSlice]:
    """This broker account's slices that still work an order sent before this instant, the oldest first."""
    rows = (
        select(OrderSlice)
        .join(Order, Order.id == OrderSlice.order_id)
        .join(Placement, Placement.client_order_id == OrderSlice.client_order_id)
        .where(
            OrderSlice.status == SliceStatus.WORKING,
            Order.broker_account == broker_account,
            SENT_AT.op("<")(sent_before),
        )
    )
    return session.scalars(rows.order_by(SENT_AT)).all()


def _accounts() -> Select[Any]:
    """The broker accounts of slices, each once."""
    return select(Order.broker_account).join(OrderSlice, OrderSlice.order_id == Order.id).distinct()


def _unknown(rows: Rows, broker_account: str) -> Rows:
    return rows.join(Order, Order.id == OrderSlice.order_id).where(
        OrderSlice.status == SliceStatus.UNKNOWN, Order.broker_account == broker_account
    )
