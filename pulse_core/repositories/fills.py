"""One row for each trade of the broker, however often it is reported."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.brokers.base import BrokerTrade
from pulse_core.models import Fill


def add(session: Session, slice_id: str, broker: str, trades: Sequence[BrokerTrade], now: datetime) -> int:
    """Book the trades that are not booked yet and return their shares."""
    if not trades:
        return 0
    rows = [
        {
            "slice_id": slice_id,
            "broker": broker,
            "broker_order_id": trade.broker_order_id,
            "broker_trade_id": trade.broker_trade_id,
            "quantity": trade.quantity,
            "price": trade.price,
            "traded_at": trade.traded_at,
            "recorded_at": now,
        }
        for trade in trades
    ]
    statement = insert(Fill).values(rows).on_conflict_do_nothing().returning(Fill.quantity)
    return sum(session.scalars(statement))


def totals(session: Session, slice_id: str) -> tuple[int, Decimal | None]:
    """(filled quantity, average price rounded to 4 places or None) of a slice."""
    total = func.sum(Fill.quantity)
    row = session.execute(
        select(func.coalesce(total, 0), func.round(func.sum(Fill.price * Fill.quantity) / total, 4)).where(
            Fill.slice_id == slice_id
        )
    ).one()
    return int(row[0]), row[1]


def of_broker_order(session: Session, broker: str, broker_order_id: str) -> int:
    """Shares booked for one broker order."""
    rows = select(func.coalesce(func.sum(Fill.quantity), 0)).where(
        Fill.broker == broker, Fill.broker_order_id == broker_order_id
    )
    return int(session.scalar(rows) or 0)


def booked(session: Session, broker: str, broker_order_ids: Sequence[str]) -> set[tuple[str, str]]:
    """(broker order id, trade id) of every fill booked for these broker orders."""
    rows = select(Fill.broker_order_id, Fill.broker_trade_id).where(
        Fill.broker == broker, Fill.broker_order_id.in_(broker_order_ids)
    )
    return {(order_id, trade_id) for order_id, trade_id in session.execute(rows)}
