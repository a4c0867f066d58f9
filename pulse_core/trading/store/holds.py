"""Orders that are held for what their broker said: nothing of them is sent, and they spend nothing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, DateTime, String, and_, exists, or_, select, true, update
from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.vocabulary import FINAL_ORDERS, HoldReason, OrderStatus, Product, Side, SliceStatus
from pulse_core.broker_accounts.tables import BrokerAccount
from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.events.names import EventKind
from pulse_core.postgres import sql
from pulse_core.trading.store import events
from pulse_core.trading.store.halts import is_halted
from pulse_core.trading.tables import Order, OrderSlice

log = get_logger(__name__)


@dataclass(frozen=True)
class Short:
    """An order that is held for want of money or shares, and what its next slice asks for."""

    order_id: str
    hold: HoldReason
    held_since: datetime
    instrument: str
    side: Side
    quantity: int
    limit_price: Decimal | None
    product: Product | None


def hold(
    session: Session,
    order: Order,
    reason: HoldReason,
    now: datetime,
    message: str | None,
    recheck_at: datetime | None = None,
    ask_at: datetime | None = None,
) -> bool:
    """Hold a locked order; False if it is held already, or has ended."""
    if order.hold is not None or order.status in FINAL_ORDERS:
        return False
    when = {"recheck_at": recheck_at, "ask_at": ask_at}
    _set(session, order, hold=reason, held_since=now, hold_message=message, updated_at=now, **when)
    events.add(session, EventKind.HELD, order.id, None, now, reason=reason, message=message)
    log.warning("order held", order_id=order.id, reason=reason, message=message)
    return True


def release(session: Session, order: Order, now: datetime, actor: str) -> None:
    """Let a locked order that is held go on."""
    reason = order.hold
    nothing = dict.fromkeys(("hold", "held_since", "hold_message", "recheck_at", "ask_at"))
    _set(session, order, **nothing, updated_at=now)
    events.add(session, EventKind.RELEASED, order.id, None, now, reason=reason, actor=actor)
    log.info("order released", order_id=order.id, reason=reason, actor=actor)


def ask_again(session: Session, order: Order, at: datetime) -> None:
    """Ask the broker about a locked order at this instant, and not before."""
    _set(session, order, ask_at=at)


def accounts_short(session: Session, now: datetime) -> Sequence[str]:
    """The broker accounts that are READY, and have orders about whose money or shares their broker may be asked now."""
    is_ready = exists().where(
        BrokerAccount.name == Order.broker_account, BrokerAccount.state == BrokerAccountState.READY
    )
    rows = select(Order.broker_account).where(_is_short(now), is_ready).distinct()
    return session.scalars(rows.order_by(Order.broker_account)).all()


def short(session: Session, broker_account: str, now: datetime, limit: int) -> Sequence[Short]:
    """Those orders of an account, with the next slice of each, whoever was asked about longest ago first."""
    following = (
        select(OrderSlice.quantity)
        .where(OrderSlice.order_id == Order.id, OrderSlice.status == SliceStatus.SCHEDULED)
        .order_by(OrderSlice.due_at, OrderSlice.sequence_number)
        .limit(1)
        .lateral()
    )
    columns = (Order.id, Order.hold, Order.held_since, Order.instrument, Order.side)
    rows = (
        select(*columns, following.c.quantity, Order.limit_price, Order.product)
        .join(following, true())
        .where(Order.broker_account == broker_account, _is_short(now))
        .order_by(Order.ask_at.asc().nulls_first(), Order.id)
    )
    return [Short(*row) for row in session.execute(rows.limit(limit))]


def is_free() -> ColumnElement[bool]:
    """The condition that neither the order nor its account at the broker is held, and that nobody has halted it."""
    of_account = exists().where(
        BrokerAccount.name == Order.broker_account, BrokerAccount.state != BrokerAccountState.READY
    )
    return and_(Order.hold.is_(None), ~of_account, ~is_halted())


def look_again(session: Session, order: Order, at: datetime) -> None:
    """Look at a locked order that is held at this instant, and not before."""
    _set(session, order, recheck_at=at)


def to_recheck(session: Session, now: datetime, limit: int) -> Sequence[str]:
    """Held orders at which Pulse looks by itself, and whose time has come, the oldest first."""
    rows = select(Order.id).where(Order.hold.is_not(None), Order.recheck_at <= now)
    return session.scalars(rows.order_by(Order.recheck_at).limit(limit)).all()


def missed(session: Session, broker_account: str, now: datetime, beyond: str, limit: int) -> Sequence[str]:
    """Orders in progress for this broker account with a slice that should have gone out, after the id `beyond`."""
    overdue = exists().where(
        OrderSlice.order_id == Order.id, OrderSlice.status == SliceStatus.SCHEDULED, OrderSlice.due_at <= now
    )
    rows = select(Order.id).where(
        Order.status == OrderStatus.IN_PROGRESS,
        Order.broker_account == broker_account,
        Order.hold.is_(None),
        Order.id > beyond,
        overdue,
    )
    return session.scalars(rows.order_by(Order.id).limit(limit)).all()


def over(session: Session, ended_before: datetime, now: datetime, limit: int) -> Sequence[str]:
    """Due slices of what is held whose order's window ended before this instant."""
    rows = (
        select(OrderSlice.id)
        .join(Order, Order.id == OrderSlice.order_id)
        .where(
            OrderSlice.status == SliceStatus.SCHEDULED,
            OrderSlice.due_at <= now,
            Order.status == OrderStatus.IN_PROGRESS,
            Order.end_at < ended_before,
            ~is_free(),
        )
    )
    return session.scalars(rows.order_by(OrderSlice.due_at).limit(limit)).all()


def is_neglected(session: Session, before: datetime) -> bool:
    """Whether something held should have been looked at before this instant, and nobody has."""
    order = exists().where(Order.hold.is_not(None), Order.recheck_at <= before)
    account = exists().where(
        BrokerAccount.state != BrokerAccountState.READY,
        or_(BrokerAccount.probe_at.is_(None), BrokerAccount.probe_at <= before),
    )
    return bool(session.scalar(select(or_(order, account))))


def tell_of_account(session: Session, broker_account: str, kind: EventKind, now: datetime, **detail: Any) -> None:
    """Tell of its open orders that the account is held, or no longer."""
    session.execute(
        _TELL, {"broker_account": broker_account, "kind": kind.value, "now": now, "detail": json.dumps(detail)}
    )


def _is_short(now: datetime) -> ColumnElement[bool]:
    return and_(
        Order.status == OrderStatus.IN_PROGRESS,
        Order.hold.in_((HoldReason.FUNDS, HoldReason.HOLDINGS)),
        # Services of before do not say when.
        or_(Order.ask_at.is_(None), Order.ask_at <= now),
    )


def _set(session: Session, order: Order, **changes: Any) -> None:
    session.scalar(
        update(Order)
        .where(Order.id == order.id)
        .values(**changes)
        .returning(Order)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


_TELL = sql.load(
    __package__,
    "tell_of_account",
    {"now": DateTime(timezone=True), **dict.fromkeys(("broker_account", "kind", "detail"), String())},
)
