"""Shares that open orders are still to sell."""

from collections.abc import Collection

from sqlalchemy import Connection, func, or_, select

from api_contract.vocabulary import FINAL_ORDERS, OrderStatus, Product, Side, SliceStatus
from pulse_core.trading.tables import Order, OrderSlice

_AT_BROKER = (SliceStatus.SENDING, SliceStatus.UNKNOWN, SliceStatus.WORKING)
_OPEN = [status for status in OrderStatus if status not in FINAL_ORDERS]


def to_sell(connection: Connection, broker_account: str, instrument: str, *, is_default: bool) -> int:
    """How many shares of an instrument the account's open orders still sell from its holdings.

    `is_default`: orders that state no product do so too.
    """
    for_delivery = Order.product == Product.CNC
    left = func.greatest(Order.total_quantity - Order.filled_quantity, 0)
    rows = select(func.coalesce(func.sum(left), 0)).where(
        Order.status.in_(_OPEN),
        Order.broker_account == broker_account,
        Order.instrument == instrument,
        Order.side == Side.SELL,
        or_(for_delivery, Order.product.is_(None)) if is_default else for_delivery,
    )
    return int(connection.execute(rows).scalar_one())


def on_offer(connection: Connection, broker_account: str, instruments: Collection[str]) -> dict[str, int]:
    """How many shares of each instrument may be at the broker to be sold, by orders of this account."""
    left = func.greatest(OrderSlice.quantity - OrderSlice.filled_quantity, 0)
    rows = (
        select(Order.instrument, func.sum(left))
        .join(OrderSlice, OrderSlice.order_id == Order.id)
        .where(
            Order.status.in_(_OPEN),
            Order.broker_account == broker_account,
            Order.instrument.in_(instruments),
            Order.side == Side.SELL,
            OrderSlice.status.in_(_AT_BROKER),
        )
        .group_by(Order.instrument)
    )
    return {instrument: int(offered) for instrument, offered in connection.execute(rows)}
