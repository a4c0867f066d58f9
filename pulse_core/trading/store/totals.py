"""Slices added up by Postgres: an order may have a hundred, and each step of one of them asks how all of them stand."""

from collections.abc import Collection

from sqlalchemy import ARRAY, BigInteger, String, bindparam, cast, func, select
from sqlalchemy.orm import Session

from pulse_core.trading.exposure import StatusTotals
from pulse_core.trading.tables import OrderSlice


def of_order(session: Session, order_id: str) -> list[StatusTotals]:
    """The slices of an order added up by status."""
    return of_orders(session, [order_id]).get(order_id, [])


def of_orders(session: Session, order_ids: Collection[str]) -> dict[str, list[StatusTotals]]:
    """The slices of several orders added up by status, by order id; an order without slices is left out."""
    found: dict[str, list[StatusTotals]] = {}
    for order_id, status, count, filled, leaves in session.execute(_TOTALS, {"order_ids": list(order_ids)}):
        found.setdefault(order_id, []).append(StatusTotals(status, count, filled, leaves))
    return found


_SLICES = OrderSlice.__table__
_LEAVES = func.greatest(_SLICES.c.quantity - _SLICES.c.filled_quantity, 0)
_SHARES = (cast(func.sum(_SLICES.c.filled_quantity), BigInteger), cast(func.sum(_LEAVES), BigInteger))
_TOTALS = (
    select(_SLICES.c.order_id, _SLICES.c.status, func.count(), *_SHARES)
    .where(_SLICES.c.order_id == func.any(bindparam("order_ids", type_=ARRAY(String))))
    .group_by(_SLICES.c.order_id, _SLICES.c.status)
)
