"""The two steps of a slice on its way to the broker and back, each one statement that commits by itself.

Every slice takes them, and many at the same instant: what `slices.move`, `placements` and `events` do in several round
trips is here one. Both are compare-and-set, and write the slice, its placement and its events together or not at all.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, literal, null, select, union_all, update
from sqlalchemy.sql.expression import CTE, ColumnElement, Select

from pulse_core.domain.enums import EventKind, OrderStatus, PlacementOutcome, Product, Side, SliceStatus
from pulse_core.domain.exposure import Tally
from pulse_core.log import get_logger
from pulse_core.models import Order, OrderSlice, Placement, SliceEvent
from pulse_core.prepared import prepared
from pulse_core.repositories.seen import still
from pulse_core.repositories.tallies import sums

log = get_logger(__name__)


@dataclass(frozen=True)
class Claimed:
    """A slice that was just claimed, with what its order says about the placement; `quantity` is what it lacks."""

    slice_id: str
    order_id: str
    account_id: str
    attempt: int
    quantity: int
    instrument: str
    side: Side
    limit_price: Decimal | None
    product: Product | None
    slice_timeout_seconds: int | None
    trace: dict[str, str]


@dataclass(frozen=True)
class Standing:
    """A slice and its order as they stand before the wire, with all slices of the order added up by status."""

    slice_status: SliceStatus
    client_order_id: str | None
    order_status: OrderStatus
    total_quantity: int
    tally: list[Tally]


def claim(
    connection: Connection,
    slice_id: str,
    client_order_id: str,
    broker: str,
    now: datetime,
    lease_expires_at: datetime,
    oldest_end: datetime,
) -> Claimed | None:
    """Move a due slice to SENDING and record the attempt; None when it may not be claimed.

    It may when it is SCHEDULED, due and lacks shares, and its order runs with a window ended at `oldest_end` or later.
    """
    row = connection.execute(
        _CLAIM,
        {
            "this_slice": slice_id,
            "new_id": client_order_id,
            "by_broker": broker,
            "at_now": now,
            "lease_end": lease_expires_at,
            "oldest_end": oldest_end,
        },
    ).one_or_none()
    if row is None:
        return None
    claimed = Claimed(*row)
    _tell(claimed, SliceStatus.SCHEDULED, SliceStatus.SENDING, client_order_id=client_order_id)
    return claimed


def standing(connection: Connection, slice_id: str) -> Standing | None:
    """How a slice and its order stand now; None when there is no such slice."""
    rows = connection.execute(_STANDING, {"this_slice": slice_id}).all()
    if not rows:
        return None
    slice_status, client_order_id, order_status, total_quantity, *_sums = rows[0]
    return Standing(slice_status, client_order_id, order_status, total_quantity, [Tally(*row[4:]) for row in rows])


def acknowledge(
    connection: Connection,
    claimed: Claimed,
    client_order_id: str,
    broker_order_id: str,
    sent_at: datetime | None,
    deadline_at: datetime,
    now: datetime,
) -> bool:
    """Move a claimed slice to WORKING with the broker's answer; False when the claim was lost meanwhile."""
    moved = connection.execute(
        _ACKNOWLEDGE,
        {
            "this_slice": claimed.slice_id,
            "this_id": client_order_id,
            "of_account": claimed.account_id,
            "new_order": broker_order_id,
            "left_at": sent_at,
            "call_back_at": deadline_at,
            "at_now": now,
        },
    ).one_or_none()
    if moved is None:
        return False
    _tell(claimed, SliceStatus.SENDING, SliceStatus.WORKING, broker_order_id=broker_order_id)
    return True


def _tell(claimed: Claimed, seen: SliceStatus, to: SliceStatus, **why: str) -> None:
    names = {"order_id": claimed.order_id, "slice_id": claimed.slice_id}
    log.info("slice moved", **names, seen=seen, to=to, attempt=claimed.attempt, **why)


_ORDERS, _SLICES, _PLACEMENTS, _EVENTS = (
    one.__table__ for one in (Order, OrderSlice, Placement, SliceEvent) if isinstance(one.__table__, Table)
)
_EVENT_COLUMNS = ["account_id", "order_id", "slice_id", "at", "kind", "from_status", "to_status", "detail"]


def _event(
    of: CTE, account_id: ColumnElement[Any], kind: EventKind, moved: tuple[Any, Any], **detail: Any
) -> Select[Any]:
    told = func.jsonb_build_object(*(part for name, value in detail.items() for part in (literal(name), value)))
    at = bindparam("at_now", type_=_EVENTS.c.at.type)
    return select(account_id, of.c.order_id, of.c.id, at, literal(kind, _EVENTS.c.kind.type), *moved, told)


def _claimed_slice() -> CTE:
    return (
        update(_SLICES)
        .where(
            _SLICES.c.id == bindparam("this_slice"),
            still(_SLICES.c.status, SliceStatus.SCHEDULED),
            _SLICES.c.due_at <= bindparam("at_now"),
            _SLICES.c.filled_quantity < _SLICES.c.quantity,
            _ORDERS.c.id == _SLICES.c.order_id,
            still(_ORDERS.c.status, OrderStatus.IN_PROGRESS),
            _ORDERS.c.end_at >= bindparam("oldest_end"),
        )
        .values(
            status=SliceStatus.SENDING,
            attempts=_SLICES.c.attempts + 1,
            client_order_id=bindparam("new_id"),
            broker_order_id=None,
            lease_expires_at=bindparam("lease_end"),
            sent_at=bindparam("at_now"),
            absent_since=None,
            cancel_reason=None,
            cancel_asked_at=None,
            cancel_asks=0,
            updated_at=bindparam("at_now"),
        )
        .returning(
            _SLICES.c.id,
            _SLICES.c.order_id,
            _ORDERS.c.account_id,
            _SLICES.c.attempts,
            (_SLICES.c.quantity - _SLICES.c.filled_quantity).label("lacking"),
            _ORDERS.c.instrument,
            _ORDERS.c.side,
            _ORDERS.c.limit_price,
            _ORDERS.c.product,
            _ORDERS.c.slice_timeout_seconds,
            _ORDERS.c.trace,
        )
        .cte("claimed")
    )


def _claim_statement() -> Select[Any]:
    claimed = _claimed_slice()
    row = claimed.c
    new_id = bindparam("new_id", type_=_PLACEMENTS.c.client_order_id.type)
    broker = bindparam("by_broker", type_=_PLACEMENTS.c.broker.type)
    at = bindparam("at_now", type_=_PLACEMENTS.c.claimed_at.type)
    placed = insert(_PLACEMENTS).from_select(
        ["client_order_id", "slice_id", "attempt", "quantity", "broker", "claimed_at"],
        select(new_id, row.id, row.attempts, row.lacking, broker, at),
    )
    move = (literal(SliceStatus.SCHEDULED.value), literal(SliceStatus.SENDING.value))
    event = _event(claimed, row.account_id, EventKind.MOVE, move, attempt=row.attempts, client_order_id=new_id)
    told = insert(_EVENTS).from_select(_EVENT_COLUMNS, event)
    return select(claimed).add_cte(placed.cte("placed"), told.cte("told"))


def _acknowledge_statement() -> Select[Any]:
    moved = (
        update(_SLICES)
        .where(
            _SLICES.c.id == bindparam("this_slice"),
            still(_SLICES.c.status, SliceStatus.SENDING),
            _SLICES.c.client_order_id == bindparam("this_id"),
        )
        .values(
            status=SliceStatus.WORKING,
            broker_order_id=bindparam("new_order"),
            sent_at=bindparam("left_at"),
            deadline_at=bindparam("call_back_at"),
            error_code=None,
            error_message=None,
            updated_at=bindparam("at_now"),
        )
        .returning(_SLICES.c.id, _SLICES.c.order_id, _SLICES.c.attempts, _SLICES.c.client_order_id)
        .cte("moved")
    )
    row = moved.c
    placed = (
        update(_PLACEMENTS)
        .where(_PLACEMENTS.c.client_order_id == row.client_order_id)
        .values(outcome=PlacementOutcome.ACKNOWLEDGED, broker_order_id=bindparam("new_order"))
    )
    account = bindparam("of_account", type_=_EVENTS.c.account_id.type)
    answer = bindparam("new_order", type_=_PLACEMENTS.c.broker_order_id.type)
    outcome = literal(PlacementOutcome.ACKNOWLEDGED.value)
    called = _event(
        moved, account, EventKind.BROKER_CALL, (null(), null()), call=literal("place"), outcome=outcome, answer=answer
    )
    move = (literal(SliceStatus.SENDING.value), literal(SliceStatus.WORKING.value))
    went = _event(moved, account, EventKind.MOVE, move, attempt=row.attempts, broker_order_id=answer)
    told = insert(_EVENTS).from_select(_EVENT_COLUMNS, union_all(called, went))
    return select(moved.c.id).add_cte(placed.cte("placed"), told.cte("told"))


def _standing_statement() -> Select[Any]:
    part = _SLICES.alias("part")
    stands = (_SLICES.c.status, _SLICES.c.client_order_id, _ORDERS.c.status, _ORDERS.c.total_quantity)
    return (
        select(*stands, part.c.status, *sums(part))
        .where(
            _SLICES.c.id == bindparam("this_slice"),
            _ORDERS.c.id == _SLICES.c.order_id,
            part.c.order_id == _SLICES.c.order_id,
        )
        .group_by(*stands, part.c.status)
    )


# Made once: building a statement costs more than running it.
_CLAIM = _claim_statement().execution_options(**prepared("claim"))
_ACKNOWLEDGE = _acknowledge_statement().execution_options(**prepared("acknowledge"))
_STANDING = _standing_statement().execution_options(**prepared("standing"))
