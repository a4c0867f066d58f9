"""Slices added up by Postgres: an order may have a hundred, and each step of one of them asks how all of them stand."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, DateTime, String, bindparam, cast, func, select
from sqlalchemy.orm import Session

from pulse_core.postgres import sql
from pulse_core.trading.exposure import StatusTotals
from pulse_core.trading.tables import OrderSlice


@dataclass(frozen=True)
class Pace:
    """How an order keeps to its schedule: when its next slice is due, shares planned by now, how late slices were sent.

    `last_late_ms` is of the slice that was sent last, `p95_late_ms` what 95 of 100 were within; None: none was sent.
    """

    next_due: datetime | None
    planned: int
    last_late_ms: int | None
    p95_late_ms: int | None
    worst_late_ms: int | None


# That of an order without slices.
UNPLANNED = Pace(None, 0, None, None, None)


def of_order(session: Session, order_id: str) -> list[StatusTotals]:
    """The slices of an order added up by status."""
    return of_orders(session, [order_id]).get(order_id, [])


def of_orders(session: Session, order_ids: Collection[str]) -> dict[str, list[StatusTotals]]:
    """The slices of several orders added up by status, by order id; an order without slices is left out."""
    found: dict[str, list[StatusTotals]] = {}
    for order_id, status, count, filled, leaves in session.execute(_TOTALS, {"order_ids": list(order_ids)}):
        found.setdefault(order_id, []).append(StatusTotals(status, count, filled, leaves))
    return found


def paces(session: Session, order_ids: Collection[str]) -> dict[str, Pace]:
    """How orders keep to their schedules, by order id; an order without slices is left out."""
    rows = session.execute(_PACES, {"order_ids": list(order_ids)})
    return {order_id: Pace(*pace) for order_id, *pace in rows}


_SLICES = OrderSlice.__table__
_LEAVES = func.greatest(_SLICES.c.quantity - _SLICES.c.filled_quantity, 0)
_SHARES = (cast(func.sum(_SLICES.c.filled_quantity), BigInteger), cast(func.sum(_LEAVES), BigInteger))
_TOTALS = (
    select(_SLICES.c.order_id, _SLICES.c.status, func.count(), *_SHARES)
    .where(_SLICES.c.order_id == func.any(bindparam("order_ids", type_=ARRAY(String))))
    .group_by(_SLICES.c.order_id, _SLICES.c.status)
)
_PACES = sql.load(__package__, "paces", {"order_ids": ARRAY(String())}).columns(
    order_id=String(),
    next_due=DateTime(timezone=True),
    planned=BigInteger(),
    last_late_ms=BigInteger(),
    p95_late_ms=BigInteger(),
    worst_late_ms=BigInteger(),
)
