"""The only writer of an order's status and totals."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Interval,
    String,
    and_,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import Select

from api_contract.alarms import AlarmStatus
from api_contract.log import get_logger
from api_contract.spans import continued
from api_contract.vocabulary import FINAL_ORDERS, FINAL_SLICES, OrderStatus, Side, SliceStatus
from pulse_core import db
from pulse_core.errors import LostRace
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent, usernames
from pulse_core.metrics.slices import note_order
from pulse_core.owner import Owner
from pulse_core.postgres import sql
from pulse_core.postgres.owned import owned_by
from pulse_core.trading.alarm_tables import Alarm
from pulse_core.trading.status import check_order_move
from pulse_core.trading.store import events
from pulse_core.trading.store.conditions import any_of, status_is
from pulse_core.trading.store.events import Event
from pulse_core.trading.tables import Order, OrderSlice

log = get_logger(__name__)


# An alarm nobody has dealt with, a slice whose fate nobody knows, or one that can still be retried.
_NEEDS_ATTENTION = or_(
    Order.id.in_(select(Alarm.order_id).where(Alarm.status != AlarmStatus.RESOLVED, Alarm.order_id.is_not(None))),
    Order.id.in_(select(OrderSlice.order_id).where(OrderSlice.status == SliceStatus.UNKNOWN)),
    and_(
        Order.end_at > func.now(),
        exists().where(
            OrderSlice.order_id == Order.id, OrderSlice.status.in_((SliceStatus.REJECTED, SliceStatus.FAILED))
        ),
    ),
)


_LIVE = (OrderStatus.IN_PROGRESS, OrderStatus.PAUSED, OrderStatus.CANCELLING)


@dataclass(frozen=True)
class OrderFilters:
    """What a listing is narrowed to; instants are aware, `created_from` included, `created_to` not.

    With `attention`: to orders that an operator should look at, or to the others. With `changed_after`: to those of one
    account to which something has happened after the event of this number. With `search`: to those whose instrument,
    key, note or id has this text in it, in letters of any case.
    """

    status: Collection[OrderStatus] = ()
    order_unique_key: str | None = None
    instrument: str | None = None
    broker_account: str | None = None
    side: Side | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    attention: bool | None = None
    changed_after: int | None = None
    search: str | None = None


def by_unique_key(session: Session, account_id: str, order_unique_key: str) -> Order | None:
    """The account's order with this key."""
    rows = select(Order).where(Order.account_id == account_id, Order.order_unique_key == order_unique_key)
    return session.scalar(rows)


def of_owner(session: Session, owner: Owner, order_id: str, *, locked: bool = False) -> Order | None:
    """An order of the owner; None for somebody else's."""
    rows = select(Order).where(Order.id == order_id, owned_by(Order.account_id, owner))
    if locked:
        rows = rows.with_for_update(key_share=True)
    return session.scalar(rows.execution_options(populate_existing=True))


def page(
    session: Session,
    owner: Owner,
    filters: OrderFilters,
    limit: int,
    beyond: str | None,
    *,
    oldest_first: bool,
) -> Sequence[Order]:
    """Up to `limit` orders of the owner, in the order of their making, those after the id `beyond`."""
    rows = select(Order).where(owned_by(Order.account_id, owner))
    named = ((Order.instrument, filters.instrument), (Order.broker_account, filters.broker_account))
    for column, value in (*named, (Order.side, filters.side), (Order.order_unique_key, filters.order_unique_key)):
        if value is not None:
            rows = rows.where(column == value)
    if filters.status:
        rows = rows.where(Order.status.in_(filters.status))
    if filters.attention is not None:
        rows = rows.where(_NEEDS_ATTENTION if filters.attention else ~_NEEDS_ATTENTION)
    if filters.changed_after is not None:
        rows = rows.where(Order.id.in_(_changed(owner, filters.changed_after)))
    if filters.search is not None:
        rows = rows.where(_has(filters.search))
    if filters.created_from is not None:
        rows = rows.where(Order.created_at >= filters.created_from)
    if filters.created_to is not None:
        rows = rows.where(Order.created_at < filters.created_to)
    if beyond is not None:
        rows = rows.where(Order.id > beyond if oldest_first else Order.id < beyond)
    return session.scalars(rows.order_by(Order.id if oldest_first else Order.id.desc()).limit(limit)).all()


def _has(text: str) -> ColumnElement[bool]:
    """Whether somebody who looks for the text means the order."""
    looked_at = (Order.instrument, Order.order_unique_key, Order.client_note, Order.id)
    return or_(*(column.icontains(text, autoescape=True) for column in looked_at))


def _changed(owner: Owner, after: int) -> Select[str]:
    """The orders to which something has happened after this event of their account, or that has no number yet."""
    is_later = or_(SliceEvent.sequence > after, SliceEvent.sequence.is_(None))
    return select(SliceEvent.order_id).where(owned_by(SliceEvent.account_id, owner), is_later)


def account_names(session: Session, found: Collection[Order]) -> dict[str, str]:
    """The usernames of the accounts of these orders, by id."""
    rows = session.execute(usernames({order.account_id for order in found}))
    return {row.id: row.username for row in rows}


def get(session: Session, order_id: str) -> Order | None:
    return session.get(Order, order_id, populate_existing=True)


def lock_all(session: Session, order_ids: Collection[str]) -> dict[str, Order]:
    """These orders by id, locked in the order of their ids until the transaction ends. Always before their slices."""
    rows = select(Order).where(any_of(Order.id, order_ids)).order_by(Order.id).with_for_update(key_share=True)
    return {one.id: one for one in session.scalars(rows.execution_options(populate_existing=True))}


def lock(session: Session, order_id: str) -> Order | None:
    """The order, locked until the transaction ends. Always before its slices."""
    rows = select(Order).where(Order.id == order_id).with_for_update(key_share=True)
    return session.scalar(rows.execution_options(populate_existing=True))


def lock_pending(session: Session, order_ids: Collection[str]) -> Sequence[Order]:
    """Those of these orders that are PENDING and that nobody else has locked, locked in the order of their ids."""
    rows = select(Order).where(any_of(Order.id, order_ids), status_is(Order.status, OrderStatus.PENDING))
    locked = rows.order_by(Order.id).with_for_update(skip_locked=True, key_share=True)
    return session.scalars(locked.execution_options(populate_existing=True)).all()


def move(session: Session, order: Order, to: OrderStatus, now: datetime, **changes: Any) -> None:
    """Move an order on from the status it was seen in.

    Raises LostRace when somebody else moved it first, with nothing written, and IllegalMove for a move the table of
    moves does not have.
    """
    seen = order.status
    check_order_move(seen, to)
    moved = session.scalar(
        update(Order)
        .where(Order.id == order.id, status_is(Order.status, seen))
        .values(status=to, updated_at=now, **changes)
        .returning(Order)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if moved is None:
        raise LostRace(f"order {order.id} is no longer {seen}", {"order_id": order.id, "seen": seen, "to": to})
    db.after_commit(session, partial(note_order, to))
    why = {name: changes[name] for name in ("result", "skip_reason") if changes.get(name)}
    events.add(session, EventKind.MOVE, order.id, None, now, (seen, to), **why)
    log.info("order moved", order_id=order.id, seen=seen, to=to)


def change(session: Session, order: Order, now: datetime, **changes: Any) -> None:
    """Set columns of a locked order other than its status and totals."""
    session.execute(
        update(Order)
        .where(Order.id == order.id)
        .values(updated_at=now, **changes)
        .execution_options(synchronize_session=False)
    )
    session.refresh(order)


@dataclass(frozen=True)
class Pace:
    """No more than so many units of an order go out in an interval."""

    interval: timedelta
    most: int


def begin_all(session: Session, pending: Sequence[tuple[Order, Pace]], now: datetime) -> list[Event]:
    """Move locked PENDING orders to IN_PROGRESS, each with its pace; returns the events, to be recorded.

    The rows stay as they were read. Raises LostRace when one of them is no longer PENDING.
    """
    seen, to = OrderStatus.PENDING, OrderStatus.IN_PROGRESS
    check_order_move(seen, to)
    if not pending:
        return []
    binds = {
        "now": now,
        "from_status": seen.value,
        "to_status": to.value,
        "ids": [order.id for order, _ in pending],
        "intervals": [pace.interval for _, pace in pending],
        "most": [pace.most for _, pace in pending],
    }
    lost = {order.id for order, _ in pending} - set(session.scalars(_MOVE_ALL, binds))
    if lost:
        raise LostRace(f"orders {', '.join(sorted(lost))} are no longer {seen}", {"order_ids": sorted(lost), "to": to})
    db.after_commit(session, partial(note_order, to, len(pending)))
    for order, _ in pending:
        with continued(order.trace):
            log.info("order moved", order_id=order.id, seen=seen, to=to)
    return [Event(EventKind.MOVE, order.id, None, (seen, to)) for order, _ in pending]


def unsplit(session: Session, created_before: datetime, limit: int) -> Sequence[str]:
    """PENDING orders old enough that their split message may be lost, the oldest first."""
    rows = select(Order.id).where(Order.status == OrderStatus.PENDING, Order.created_at <= created_before)
    return session.scalars(rows.order_by(Order.created_at).limit(limit)).all()


def in_statuses(session: Session, account_id: str, statuses: Collection[OrderStatus]) -> list[str]:
    """The account's orders in one of these statuses, oldest first."""
    rows = select(Order.id).where(Order.account_id == account_id, Order.status.in_(statuses))
    return list(session.scalars(rows.order_by(Order.id)))


def count_open(session: Session, account_id: str) -> int:
    """How many orders of the account have not ended."""
    rows = select(func.count()).where(Order.account_id == account_id, Order.status.not_in(FINAL_ORDERS))
    return session.scalar(rows) or 0


def live(session: Session, beyond: str, limit: int) -> Sequence[str]:
    """Orders that are neither waiting to be split nor ended, in the order of their ids, those after `beyond`."""
    rows = select(Order.id).where(Order.status.in_(_LIVE), Order.id > beyond)
    return session.scalars(rows.order_by(Order.id).limit(limit)).all()


def to_finish(session: Session, order_ids: Sequence[str]) -> Sequence[str]:
    """Those of these live orders whose slices are all final, or that are being cancelled with slices still unsent."""
    open_slice = exists().where(OrderSlice.order_id == Order.id, OrderSlice.status.not_in(FINAL_SLICES))
    unsent_slice = exists().where(OrderSlice.order_id == Order.id, OrderSlice.status == SliceStatus.SCHEDULED)
    is_half_cancelled = and_(Order.status == OrderStatus.CANCELLING, unsent_slice)
    rows = select(Order.id).where(
        any_of(Order.id, order_ids), Order.status.in_(_LIVE), or_(~open_slice, is_half_cancelled)
    )
    return session.scalars(rows).all()


def paused_past(session: Session, ended_before: datetime, limit: int) -> Sequence[str]:
    """Paused orders whose window had closed before this instant."""
    rows = select(Order.id).where(Order.status == OrderStatus.PAUSED, Order.end_at < ended_before)
    return session.scalars(rows.limit(limit)).all()


_MOVE_ALL = sql.load(
    __package__,
    "move_orders",
    {
        "now": DateTime(timezone=True),
        "from_status": String(),
        "to_status": String(),
        "ids": ARRAY(String()),
        "intervals": ARRAY(Interval()),
        "most": ARRAY(BigInteger()),
    },
)
