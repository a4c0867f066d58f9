"""Take over an order that Pulse had taken for not placed and that is at the broker after all."""

from datetime import datetime

from sqlalchemy.orm import Session

from api_contract.vocabulary import SliceStatus
from pulse_core.brokers.port import BrokerOrder, BrokerOrderStatus
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import events, placements, slices
from pulse_core.trading.tables import Placement
from pulse_core.trading.vocabulary import PlacementOutcome

UNTRADED_ENDS = frozenset({BrokerOrderStatus.REJECTED, BrokerOrderStatus.CANCELLED, BrokerOrderStatus.EXPIRED})


def adopt(session: Session, attempt: Placement, row: BrokerOrder, now: datetime) -> None:
    """Record which broker order the attempt has, raise the alarm, and send nothing beside it.

    A refusal that also stands REJECTED in the book, with nothing filled, is confirmed by it: no alarm.
    """
    order, one = slices.lock(session, attempt.slice_id)
    is_over = row.status in UNTRADED_ENDS and row.filled_quantity == 0
    if is_over and row.status is BrokerOrderStatus.REJECTED and attempt.outcome is PlacementOutcome.REFUSED:
        placements.complete(session, attempt.client_order_id, attempt.outcome, row.broker_order_id, ended_at=now)
        return
    acknowledged = PlacementOutcome.ACKNOWLEDGED
    ended_at = now if is_over else None
    placements.complete(session, attempt.client_order_id, acknowledged, row.broker_order_id, ended_at)
    events.alarm(session, AlarmCode.TURNED_UP, order.id, one.id, now, broker_order_id=row.broker_order_id)
    if one.status is SliceStatus.SCHEDULED and not is_over:
        point_at(session, one.id, attempt, now)


def point_at(session: Session, slice_id: str, attempt: Placement, now: datetime) -> None:
    """Take a locked slice out of the schedule: the broker's book decides what becomes of this attempt of it."""
    one = slices.get(session, slice_id)
    if one is None:
        return
    doubt = {
        "client_order_id": attempt.client_order_id,
        "broker_order_id": None,
        "sent_at": attempt.claimed_at,
        "resolve_at": now,
        "absent_since": None,
    }
    if one.status is SliceStatus.UNKNOWN:
        slices.change(session, one.id, now, **doubt)
        return
    slices.move(session, one, SliceStatus.UNKNOWN, now, **doubt)
