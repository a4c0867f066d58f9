"""One row for each trade of the broker, however often it is reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.brokers.base import BrokerTrade
from pulse_core.models import Fill


@dataclass(frozen=True)
class Totals:
    """Shares booked for a slice, their average price to 4 places, and the shares of one of its broker orders."""

    filled: int
    average: Decimal | None
    of_broker_order: int


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
    return sum(session.scalars(_ADDED, rows))


def totals(session: Session, slice_id: str, broker: str, broker_order_id: str) -> Totals:
    """What is booked for a slice, and of that for one of its broker orders."""
    names = {"this_slice": slice_id, "this_broker": broker, "this_order": broker_order_id}
    filled, average, of_broker_order = session.execute(_TOTALS, names).one()
    return Totals(int(filled), average, int(of_broker_order))


def booked(session: Session, broker: str, broker_order_ids: Sequence[str]) -> set[tuple[str, str]]:
    """(broker order id, trade id) of every fill booked for these broker orders."""
    rows = select(Fill.broker_order_id, Fill.broker_trade_id).where(
        Fill.broker == broker, Fill.broker_order_id.in_(broker_order_ids)
    )
    return {(order_id, trade_id) for order_id, trade_id in session.execute(rows)}


# Made once: building a statement costs more than running it.
_SHARES = func.sum(Fill.quantity)
_OF_BROKER_ORDER = (Fill.broker == bindparam("this_broker")) & (Fill.broker_order_id == bindparam("this_order"))
_TOTALS = select(
    func.coalesce(_SHARES, 0),
    func.round(func.sum(Fill.price * Fill.quantity) / _SHARES, 4),
    func.coalesce(_SHARES.filter(_OF_BROKER_ORDER), 0),
).where(Fill.slice_id == bindparam("this_slice"))
_ADDED = insert(Fill).on_conflict_do_nothing().returning(Fill.quantity)
