"""The ends of slices at the broker: those of one order together, in two statements however many they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ColumnClause, Numeric, String, bindparam, cast, column, func, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from api_contract.log import get_logger
from api_contract.vocabulary import SliceStatus
from pulse_core.domain.enums import EventKind
from pulse_core.domain.status import check_slice_move
from pulse_core.models import OrderSlice
from pulse_core.repositories import events
from pulse_core.repositories.seen import still

log = get_logger(__name__)


@dataclass(frozen=True)
class Ending:
    """How a working slice ended, and what it holds then."""

    one: OrderSlice
    to: SliceStatus
    filled_quantity: int
    average_price: Decimal | None
    error_code: str | None
    error_message: str | None


def end_all(session: Session, order_id: str, endings: Sequence[Ending], now: datetime) -> None:
    """Move working slices of one order, locked by the caller, to their ends.

    One that works no more is left as it is. Raises IllegalMove for a move the table of moves does not have.
    """
    if not endings:
        return
    for ending in endings:
        check_slice_move(SliceStatus.WORKING, ending.to)
    rows = session.scalars(
        _ENDED,
        {
            "at_now": now,
            "ids": [ending.one.id for ending in endings],
            "ends": [ending.to.value for ending in endings],
            "filled": [ending.filled_quantity for ending in endings],
            "prices": [ending.average_price for ending in endings],
            "codes": [ending.error_code for ending in endings],
            "messages": [ending.error_message for ending in endings],
        },
        execution_options={"synchronize_session": False, "populate_existing": True},
    )
    told = [(one.id, (SliceStatus.WORKING, one.status), _why(one)) for one in rows]
    events.add_all(session, EventKind.MOVE, order_id, told, now)
    for slice_id, (seen, to), why in told:
        log.info("slice moved", order_id=order_id, slice_id=slice_id, seen=seen, to=to, **why)


def _why(one: OrderSlice) -> dict[str, Any]:
    why: dict[str, Any] = {"attempt": one.attempts}
    if one.status is SliceStatus.REJECTED:
        why |= {"error_code": one.error_code, "error_message": one.error_message}
    return {name: value for name, value in why.items() if value}


def _ended() -> ReturningUpdate[OrderSlice]:
    columns: dict[str, ColumnClause[Any]] = {
        "ids": column("id", String),
        "ends": column("status", String),
        "filled": column("filled_quantity", BigInteger),
        "prices": column("average_price", Numeric),
        "codes": column("error_code", String),
        "messages": column("error_message", String),
    }
    lists = [cast(bindparam(name, type_=ARRAY(one.type)), ARRAY(one.type)) for name, one in columns.items()]
    end = func.unnest(*lists).table_valued(*columns.values(), name="ending").render_derived()
    return (
        update(OrderSlice)
        .where(OrderSlice.id == end.c.id, still(OrderSlice.status, SliceStatus.WORKING))
        .values(
            status=end.c.status,
            filled_quantity=end.c.filled_quantity,
            average_price=end.c.average_price,
            error_code=end.c.error_code,
            error_message=end.c.error_message,
            updated_at=bindparam("at_now"),
        )
        .returning(OrderSlice)
    )


# Made once: building a statement costs more than running it.
_ENDED = _ended()
