"""What became of orders, written for many of them at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Executable,
    Numeric,
    String,
    bindparam,
    func,
    select,
)
from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.vocabulary import FINAL_ORDERS, OrderResult, OrderStatus
from pulse_core import db
from pulse_core.errors import LostRace
from pulse_core.events.names import EventKind
from pulse_core.metrics.slices import note_order
from pulse_core.postgres import sql
from pulse_core.trading.status import check_order_move
from pulse_core.trading.store.events import Event
from pulse_core.trading.tables import Fill, Order, OrderSlice

log = get_logger(__name__)


@dataclass(frozen=True)
class RolledUp:
    """What became of an order: the status it was seen in and the one it comes into, its fills, its result if final."""

    order_id: str
    seen: OrderStatus
    to: OrderStatus
    filled_quantity: int
    average_price: Decimal | None
    result: OrderResult | None


def fill_totals(session: Session, order_ids: Collection[str]) -> dict[str, tuple[int, Decimal]]:
    """(filled quantity, average price) of those of these orders that have fills, recomputed from them."""
    found = session.execute(_FILL_TOTALS, {"order_ids": list(order_ids)})
    return {order_id: (int(filled), average) for order_id, filled, average in found}


def roll_up(session: Session, rolled: Sequence[RolledUp], now: datetime) -> list[Event]:
    """Write what became of orders that the caller has locked; returns the events of those that moved, to be recorded.

    Raises LostRace when one of them no longer has the status it was seen in, and IllegalMove for a move the table of
    moves does not have.
    """
    if not rolled:
        return []
    moved = [one for one in rolled if one.to is not one.seen]
    for one in moved:
        check_order_move(one.seen, one.to)
    written = session.scalars(
        _ROLL_UP,
        {
            "now": now,
            "ids": [one.order_id for one in rolled],
            "from_statuses": [one.seen.value for one in rolled],
            "statuses": [one.to.value for one in rolled],
            "filled": [one.filled_quantity for one in rolled],
            "prices": [one.average_price for one in rolled],
            "results": [one.result.value if one.result else None for one in rolled],
        },
        execution_options={"populate_existing": True},
    ).all()
    lost = {one.order_id for one in rolled} - {order.id for order in written}
    if lost:
        raise LostRace(f"orders {', '.join(sorted(lost))} have moved on", {"order_ids": sorted(lost)})
    return [_moved(session, one) for one in moved]


def _moved(session: Session, one: RolledUp) -> Event:
    db.after_commit(session, partial(note_order, one.to))
    why = {"result": one.result} if one.result else {}
    log.info("order moved", order_id=one.order_id, seen=one.seen, to=one.to)
    return Event(EventKind.MOVE, one.order_id, None, (one.seen, one.to), why)


def _load_roll_up() -> Executable:
    binds: sql.Types = {
        "now": DateTime(timezone=True),
        "filled": ARRAY(BigInteger()),
        "prices": ARRAY(Numeric()),
        "final": ARRAY(String()),
        **dict.fromkeys(("ids", "from_statuses", "statuses", "results"), ARRAY(String())),
    }
    statement = sql.load(__package__, "roll_up_orders", binds)
    return select(Order).from_statement(statement.bindparams(final=[status.value for status in FINAL_ORDERS]))


_ROLL_UP = _load_roll_up()


_FILL_TOTALS = (
    select(
        OrderSlice.order_id,
        func.sum(Fill.quantity),
        func.round(func.sum(Fill.price * Fill.quantity) / func.sum(Fill.quantity), 4),
    )
    .join(OrderSlice, OrderSlice.id == Fill.slice_id)
    .where(OrderSlice.order_id == func.any(bindparam("order_ids", type_=ARRAY(String))))
    .group_by(OrderSlice.order_id)
)
