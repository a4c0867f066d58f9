"""Slices added up by Postgres: an order may have a hundred, and each step of one of them asks how all of them stand."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, String, bindparam, cast, func, select
from sqlalchemy.orm import Session

from api_contract.vocabulary import SliceStatus
from pulse_core.trading.exposure import StatusTotals
from pulse_core.trading.store.conditions import status_is
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


def next_due(session: Session, order_ids: Collection[str]) -> dict[str, datetime]:
    """When the next slice of each of these orders is due, by order id; orders without one to come are left out."""
    rows = session.execute(_NEXT_DUE, {"order_ids": list(order_ids)})
    return {row.order_id: row.due_at for row in rows}


_SLICES = OrderSlice.__table__
_LEAVES = func.greatest(_SLICES.c.quantity - _SLICES.c.filled_quantity, 0)
_SHARES = (cast(func.sum(_SLICES.c.filled_quantity), BigInteger), cast(func.sum(_LEAVES), BigInteger))
_TOTALS = (
    select(_SLICES.c.order_id, _SLICES.c.status, func.count(), *_SHARES)
    .where(_SLICES.c.order_id == func.any(bindparam("order_ids", type_=ARRAY(String))))
    .group_by(_SLICES.c.order_id, _SLICES.c.status)
)
_NEXT_DUE = (
    select(_SLICES.c.order_id, func.min(_SLICES.c.due_at).label("due_at"))
    .where(
        _SLICES.c.order_id == func.any(bindparam("order_ids", type_=ARRAY(String))),
        status_is(_SLICES.c.status, SliceStatus.SCHEDULED),
    )
    .group_by(_SLICES.c.order_id)
)
