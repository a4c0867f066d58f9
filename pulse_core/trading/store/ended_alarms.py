"""Alarms whose trouble has verifiably ended are resolved by Pulse itself.

Each is locked first, and looked at after that: one that is raised at this moment either was seen, or opens again.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from api_contract.alarms import AlarmStatus
from api_contract.vocabulary import SliceStatus
from pulse_core.broker_accounts.tables import BrokerAccount
from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.events.names import PULSE
from pulse_core.trading.alarm_tables import Alarm
from pulse_core.trading.alarms import ENDS_WITH_DOUBT, AlarmCode
from pulse_core.trading.store import alarms, installation
from pulse_core.trading.store.conditions import any_of
from pulse_core.trading.store.slices import END_UNSEEN
from pulse_core.trading.tables import Order, OrderSlice

_READY = BrokerAccountState.READY
# The price of a slice is taken again, or it has ended.
_NOT_TAKEN = (SliceStatus.SCHEDULED, SliceStatus.SENDING, SliceStatus.UNKNOWN)
_BROKER_ORDER = Alarm.detail["broker_order_id"].astext


def resolve_about_slices(session: Session, now: datetime, limit: int) -> int:
    """Resolve up to `limit` alarms of which the slice shows that their trouble is over; returns how many."""
    ended = select(Alarm).join(OrderSlice, OrderSlice.id == Alarm.slice_id).where(alarms.is_unresolved(), _has_ended())
    locked = session.scalars(ended.limit(limit).with_for_update(of=Alarm, skip_locked=True)).all()
    if not locked:
        return 0
    still = ended.where(Alarm.id.in_([one.id for one in locked])).execution_options(populate_existing=True)
    found = session.scalars(still).all()
    for one in found:
        alarms.move(session, one, AlarmStatus.RESOLVED, PULSE, now)
    return len(found)


def resolve_hold(session: Session, actor: str, now: datetime) -> int:
    """Resolve the alarm of the hold on all sending unless it stands; returns how many there were."""
    rows = select(Alarm).where(Alarm.code == AlarmCode.SENDING_HELD, alarms.is_unresolved())
    found = session.scalars(rows.with_for_update()).all()
    if not found or installation.held(session) is not None:
        return 0
    for one in found:
        alarms.move(session, one, AlarmStatus.RESOLVED, actor, now)
    return len(found)


def resolve_of_subject(session: Session, code: AlarmCode, subject: str, actor: str, now: datetime) -> int:
    """Resolve the alarm of this code about a subject whose trouble is over; returns how many there were."""
    rows = select(Alarm).where(Alarm.code == code, Alarm.subject == subject, alarms.is_unresolved())
    found = session.scalars(rows.with_for_update()).all()
    for one in found:
        alarms.move(session, one, AlarmStatus.RESOLVED, actor, now)
    return len(found)


def resolve_holds(session: Session, now: datetime, limit: int) -> int:
    """Resolve up to `limit` alarms of orders and broker accounts that are held no more; returns how many there were."""
    is_order_held = exists().where(Order.id == Alarm.order_id, Order.hold.is_not(None))
    is_account_held = exists().where(BrokerAccount.name == Alarm.subject, BrokerAccount.state != _READY)
    is_over = or_(
        and_(Alarm.code.in_((AlarmCode.ORDER_HELD, AlarmCode.LIMIT_REACHED)), ~is_order_held),
        and_(Alarm.code == AlarmCode.ACCOUNT_HELD, ~is_account_held),
    )
    ended = select(Alarm).where(alarms.is_unresolved(), is_over)
    locked = session.scalars(ended.limit(limit).with_for_update(of=Alarm, skip_locked=True)).all()
    if not locked:
        return 0
    still = ended.where(Alarm.id.in_([one.id for one in locked])).execution_options(populate_existing=True)
    found = session.scalars(still).all()
    for one in found:
        alarms.move(session, one, AlarmStatus.RESOLVED, PULSE, now)
    return len(found)


def missing_orders(session: Session) -> set[str]:
    """Broker orders that an unresolved alarm says are missing from the book."""
    rows = select(_BROKER_ORDER).where(Alarm.code == AlarmCode.MISSING_FROM_BOOK, alarms.is_unresolved())
    return set(session.scalars(rows))


def resolve_missing(session: Session, broker_order_ids: Collection[str], now: datetime) -> int:
    """Resolve the alarms about these broker orders, which are in the book again; returns how many there were."""
    rows = select(Alarm).where(
        Alarm.code == AlarmCode.MISSING_FROM_BOOK, alarms.is_unresolved(), any_of(_BROKER_ORDER, broker_order_ids)
    )
    found = session.scalars(rows.with_for_update(skip_locked=True)).all()
    for one in found:
        alarms.move(session, one, AlarmStatus.RESOLVED, PULSE, now)
    return len(found)


def _has_ended() -> ColumnElement[bool]:
    is_settled = and_(Alarm.code.in_(ENDS_WITH_DOUBT), OrderSlice.status != SliceStatus.UNKNOWN)
    has_left = or_(OrderSlice.status != SliceStatus.WORKING, OrderSlice.broker_order_id != _BROKER_ORDER)
    is_seen = and_(Alarm.code == AlarmCode.END_UNSEEN, OrderSlice.error_code.is_distinct_from(END_UNSEEN))
    is_taken = and_(Alarm.code == AlarmCode.PRICE_REFUSED, OrderSlice.status.not_in(_NOT_TAKEN))
    return or_(is_settled, is_taken, and_(Alarm.code == AlarmCode.MISSING_FROM_BOOK, has_left), is_seen)
