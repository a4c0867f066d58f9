"""What the broker's book says of working slices: their fills and their ends, of many orders together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any

from sqlalchemy import ARRAY, BigInteger, DateTime, Executable, Numeric, String, select
from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.events.names import EventKind
from pulse_core.metrics.slices import note_slices
from pulse_core.postgres import sql
from pulse_core.trading.status import check_slice_move
from pulse_core.trading.store.events import Event
from pulse_core.trading.tables import OrderSlice

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


@dataclass(frozen=True)
class Holding:
    """What a slice that has not ended by this holds now."""

    slice_id: str
    filled_quantity: int
    average_price: Decimal | None


def hold_all(session: Session, holdings: Sequence[Holding], now: datetime) -> None:
    """Write down what slices, locked by the caller, hold; their statuses stay."""
    if holdings:
        session.execute(
            _HOLD,
            {
                "now": now,
                "ids": [one.slice_id for one in holdings],
                "filled": [one.filled_quantity for one in holdings],
                "prices": [one.average_price for one in holdings],
            },
        )


def end_all(session: Session, endings: Sequence[Ending], now: datetime) -> list[Event]:
    """Move working slices, locked by the caller, to their ends; returns the events, for the caller to record.

    One that works no more is left as it is. Raises IllegalMove for a move the table of moves does not have.
    """
    if not endings:
        return []
    for ending in endings:
        check_slice_move(SliceStatus.WORKING, ending.to)
    rows = session.scalars(
        _END_WORKING,
        {
            "from_status": SliceStatus.WORKING.value,
            "now": now,
            "ids": [ending.one.id for ending in endings],
            "statuses": [ending.to.value for ending in endings],
            "filled": [ending.filled_quantity for ending in endings],
            "prices": [ending.average_price for ending in endings],
            "error_codes": [ending.error_code for ending in endings],
            "error_messages": [ending.error_message for ending in endings],
        },
        execution_options={"populate_existing": True},
    )
    return [_ended(session, one) for one in sorted(rows, key=attrgetter("id"))]


def _ended(session: Session, one: OrderSlice) -> Event:
    seen, to, why = SliceStatus.WORKING, one.status, _why(one)
    db.after_commit(session, partial(note_slices, to))
    log.info("slice moved", order_id=one.order_id, slice_id=one.id, seen=seen, to=to, **why)
    return Event(EventKind.MOVE, one.order_id, one.id, (seen, to), why)


def _why(one: OrderSlice) -> dict[str, Any]:
    why: dict[str, Any] = {"attempt": one.attempts}
    if one.status is SliceStatus.REJECTED:
        why |= {"error_code": one.error_code, "error_message": one.error_message}
    return {name: value for name, value in why.items() if value}


def _load() -> Executable:
    binds: sql.Types = {
        "from_status": String(),
        "now": DateTime(timezone=True),
        "ids": ARRAY(String()),
        "statuses": ARRAY(String()),
        "filled": ARRAY(BigInteger()),
        "prices": ARRAY(Numeric()),
        "error_codes": ARRAY(String()),
        "error_messages": ARRAY(String()),
    }
    return select(OrderSlice).from_statement(sql.load(__package__, "end_working", binds))


_END_WORKING = _load()
_HOLD = sql.load(
    __package__,
    "hold_fills",
    {
        "now": DateTime(timezone=True),
        "ids": ARRAY(String()),
        "filled": ARRAY(BigInteger()),
        "prices": ARRAY(Numeric()),
    },
)
