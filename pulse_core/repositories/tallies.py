"""Slices added up by Postgres: an order may have a hundred, and each step of one of them asks how all of them stand."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, cast, func, select
from sqlalchemy.orm import Session

from pulse_core.domain.exposure import Tally
from pulse_core.models import OrderSlice


def of_order(session: Session, order_id: str) -> list[Tally]:
    """The slices of an order added up by status."""
    return of_orders(session, [order_id]).get(order_id, [])


def of_orders(session: Session, order_ids: Collection[str]) -> dict[str, list[Tally]]:
    """The slices of several orders added up by status, by order id; an order without slices is left out."""
    found: dict[str, list[Tally]] = {}
    for order_id, status, count, filled, leaves in session.execute(_TALLIES, {"order_ids": list(order_ids)}):
        found.setdefault(order_id, []).append(Tally(status, count, filled, leaves))
    return found


def sums(slices: Any) -> tuple[ColumnElement[int], ColumnElement[int], ColumnElement[int]]:
    """What a Tally says besides the status: how many slices, their filled shares, and those that they still lack."""
    leaves = func.greatest(slices.c.quantity - slices.c.filled_quantity, 0)
    return func.count(), cast(func.sum(slices.c.filled_quantity), BigInteger), cast(func.sum(leaves), BigInteger)


_SLICES = OrderSlice.__table__
_TALLIES = (
    select(_SLICES.c.order_id, _SLICES.c.status, *sums(_SLICES))
    .where(_SLICES.c.order_id.in_(bindparam("order_ids", expanding=True)))
    .group_by(_SLICES.c.order_id, _SLICES.c.status)
)
