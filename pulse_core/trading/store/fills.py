"""One row for each trade of the broker, however often it is reported."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy import ARRAY, BigInteger, DateTime, Numeric, String, and_, bindparam, func, select
from sqlalchemy.orm import Session

from api_contract.vocabulary import SliceStatus
from pulse_core.brokers.port import BrokerTrade
from pulse_core.postgres import sql
from pulse_core.trading.store.conditions import any_of
from pulse_core.trading.tables import Fill, OrderSlice, Placement


@dataclass(frozen=True)
class Totals:
    """Shares booked for a slice, their average price to 4 places, and the shares by broker order id."""

    filled: int = 0
    average: Decimal | None = None
    of_broker_order: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Booked:
    """What was newly booked for a slice: shares, their average price to 4 places, and when the last was traded."""

    quantity: int
    price: Decimal
    traded_at: datetime


def add(
    session: Session,
    broker_account: str,
    trades: Sequence[tuple[str, BrokerTrade]],
    now: datetime,
    settled_by: str | None = None,
) -> dict[str, Booked]:
    """Book those of the trades, each with its slice's id, that are not booked yet; what that is, by slice id."""
    if not trades:
        return {}
    booked = session.execute(
        _ADD,
        {
            "broker_account": broker_account,
            "now": now,
            "settled_by": settled_by,
            "slice_ids": [slice_id for slice_id, _trade in trades],
            "broker_order_ids": [trade.broker_order_id for _slice_id, trade in trades],
            "broker_trade_ids": [trade.broker_trade_id for _slice_id, trade in trades],
            "quantities": [trade.quantity for _slice_id, trade in trades],
            "prices": [trade.price for _slice_id, trade in trades],
            "traded_at": [trade.traded_at for _slice_id, trade in trades],
        },
    )
    by_slice: dict[str, list[tuple[int, Decimal, datetime]]] = {}
    for slice_id, quantity, price, traded_at in booked:
        by_slice.setdefault(slice_id, []).append((quantity, price, traded_at))
    return {slice_id: _booked(new) for slice_id, new in by_slice.items()}


def totals(session: Session, slice_ids: Collection[str]) -> dict[str, Totals]:
    """What is booked for each of these slices that have fills, by slice id."""
    by_slice: dict[str, list[tuple[str, int, Decimal]]] = {}
    for slice_id, broker_order_id, quantity, value in session.execute(_SUMS, {"of_slices": list(slice_ids)}):
        by_slice.setdefault(slice_id, []).append((broker_order_id, int(quantity), value))
    return {slice_id: _totals(sums) for slice_id, sums in by_slice.items()}


def _booked(new: Sequence[tuple[int, Decimal, datetime]]) -> Booked:
    shares = sum(quantity for quantity, _price, _at in new)
    value = sum((price * quantity for quantity, price, _at in new), Decimal(0))
    return Booked(shares, _average(value, shares), max(at for _quantity, _price, at in new))


def _totals(sums: Sequence[tuple[str, int, Decimal]]) -> Totals:
    filled = sum(quantity for _id, quantity, _value in sums)
    value = sum((value for _id, _quantity, value in sums), Decimal(0))
    return Totals(
        filled, _average(value, filled), {broker_order_id: quantity for broker_order_id, quantity, _value in sums}
    )


def _average(value: Decimal, shares: int) -> Decimal:
    return (value / shares).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def of_broker_order(session: Session, broker_account: str, broker_order_id: str) -> Sequence[Fill]:
    """Everything booked for one broker order."""
    rows = select(Fill).where(Fill.broker_account == broker_account, Fill.broker_order_id == broker_order_id)
    return session.scalars(rows).all()


def page(session: Session, order_id: str, beyond: int, limit: int) -> Sequence[tuple[Fill, int]]:
    """Up to `limit` fills of an order, in the order of their booking, those after the one with this id.

    Each with the number of its slice.
    """
    rows = select(Fill, OrderSlice.sequence_number).join(OrderSlice, OrderSlice.id == Fill.slice_id)
    found = session.execute(
        rows.where(OrderSlice.order_id == order_id, Fill.id > beyond).order_by(Fill.id).limit(limit)
    )
    return [(fill, sequence_number) for fill, sequence_number in found]


def of_unsent(session: Session, order_id: str, since: datetime) -> Sequence[tuple[int, datetime]]:
    """What was filled of slices of an order that are to be sent again: units, and when their attempt was claimed.

    Of the attempts claimed after `since`.
    """
    rows = (
        select(Fill.quantity, Placement.claimed_at)
        .join(OrderSlice, OrderSlice.id == Fill.slice_id)
        .join(
            Placement,
            and_(Placement.slice_id == Fill.slice_id, Placement.broker_order_id == Fill.broker_order_id),
        )
        .where(
            OrderSlice.order_id == order_id,
            OrderSlice.status == SliceStatus.SCHEDULED,
            OrderSlice.filled_quantity > 0,
            Placement.claimed_at > since,
        )
    )
    return [(quantity, claimed_at) for quantity, claimed_at in session.execute(rows)]


def booked(session: Session, broker_account: str, broker_order_ids: Collection[str]) -> set[tuple[str, str]]:
    """(broker order id, trade id) of every fill booked for these broker orders."""
    rows = select(Fill.broker_order_id, Fill.broker_trade_id).where(
        Fill.broker_account == broker_account, any_of(Fill.broker_order_id, broker_order_ids)
    )
    return {(order_id, trade_id) for order_id, trade_id in session.execute(rows)}


# Made once: building a statement costs more than running it.
_SUMS = (
    select(Fill.slice_id, Fill.broker_order_id, func.sum(Fill.quantity), func.sum(Fill.price * Fill.quantity))
    .where(Fill.slice_id == func.any(bindparam("of_slices", type_=ARRAY(String))))
    .group_by(Fill.slice_id, Fill.broker_order_id)
)
_ADD = sql.load(
    __package__,
    "add_fills",
    {
        "broker_account": String(),
        "now": DateTime(timezone=True),
        "settled_by": String(),
        "slice_ids": ARRAY(String()),
        "broker_order_ids": ARRAY(String()),
        "broker_trade_ids": ARRAY(String()),
        "quantities": ARRAY(BigInteger()),
        "prices": ARRAY(Numeric()),
        "traded_at": ARRAY(DateTime(timezone=True)),
    },
)
