"""The two steps of a slice on its way to the broker and back, each one statement that commits by itself.

Every slice takes them, and many at the same instant: what `slices.move`, `placements` and `events` do in several round
trips is here one. Both are compare-and-set, and write the slice, its placement and its events together or not at all.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Interval,
    Table,
    and_,
    bindparam,
    cast,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.expression import CTE, ColumnElement, Select

from api_contract.log import get_logger
from api_contract.vocabulary import OrderStatus, Product, Side, SliceStatus
from pulse_core.domain.enums import EventKind, PlacementOutcome
from pulse_core.domain.exposure import Tally
from pulse_core.domain.status import FINAL_SLICES
from pulse_core.models import Installation, Order, OrderSlice, Placement, SliceEvent
from pulse_core.prepared import prepared
from pulse_core.repositories.seen import still
from pulse_core.repositories.tallies import sums

log = get_logger(__name__)


@dataclass(frozen=True)
class Claimed:
    """A slice that was just claimed, with what its order says about the placement; `quantity` is what it lacks.

    `claimed_at` is an instant of the database's clock. `exposed` is what the order's slices come to, filled, live and
    unsent: more than the order's `total_quantity` only when something else of it was overfilled.
    """

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
    claimed_at: datetime
    total_quantity: int
    exposed: int


@dataclass(frozen=True)
class Standing:
    """A slice and its order as they stand before the wire, with all slices of the order added up by status.

    `lacking` is what the slice lacks now; `is_doubled` says that another attempt of it may be live.
    """

    slice_status: SliceStatus
    client_order_id: str | None
    lacking: int
    is_doubled: bool
    order_status: OrderStatus
    total_quantity: int
    tally: list[Tally]


def claim(
    connection: Connection,
    slice_id: str,
    attempt: int,
    client_order_id: str,
    broker: str,
    lease: timedelta,
    late_grace: timedelta,
    now: datetime | None = None,
) -> Claimed | None:
    """Move a due slice to SENDING and record the attempt; None when it may not be claimed.

    It may when it is SCHEDULED, due and lacks shares, `attempt` is its next one and no earlier one may be live, and its
    order is for this broker and runs with a window that ended at most `late_grace` ago. Unless `now` is given,
    Postgres's clock decides: no other is shared by all that claim.
    """
    row = connection.execute(
        _CLAIM,
        {
            "this_slice": slice_id,
            "tried_before": attempt - 1,
            "new_id": client_order_id,
            "by_broker": broker,
            "at_now": now,
            "the_lease": lease,
            "the_grace": late_grace,
        },
    ).one_or_none()
    if row is None:
        return None
    claimed = Claimed(*row)
    _tell(claimed, SliceStatus.SCHEDULED, SliceStatus.SENDING, client_order_id=client_order_id)
    return claimed


def standing(connection: Connection, slice_id: str, client_order_id: str) -> Standing | None:
    """How a slice with this attempt and its order stand now; None when there is no such slice."""
    rows = connection.execute(_STANDING, {"this_slice": slice_id, "this_id": client_order_id}).all()
    if not rows:
        return None
    status, claimed_by, lacking, is_doubled, order_status, total_quantity, *_sums = rows[0]
    tally = [Tally(*row[6:]) for row in rows]
    return Standing(status, claimed_by, lacking, is_doubled, order_status, total_quantity, tally)


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
_INSTALLATION = Installation.__table__
_EVENT_COLUMNS = ["account_id", "order_id", "slice_id", "at", "kind", "from_status", "to_status", "detail"]


def _event(
    of: CTE, account_id: ColumnElement[Any], at: Any, kind: EventKind, moved: tuple[Any, Any], **detail: Any
) -> Select[Any]:
    told = func.jsonb_build_object(*(part for name, value in detail.items() for part in (literal(name), value)))
    return select(account_id, of.c.order_id, of.c.id, at, literal(kind, _EVENTS.c.kind.type), *moved, told)


def may_be_live(placements: Any) -> ColumnElement[bool]:
    """Whether an attempt may have an order at the broker that can still trade."""
    return or_(
        placements.c.outcome.is_(None),
        placements.c.outcome == PlacementOutcome.UNKNOWN,
        and_(placements.c.outcome == PlacementOutcome.ACKNOWLEDGED, placements.c.ended_at.is_(None)),
    )


def _moment() -> CTE:
    """The instant at which this statement decides, read once."""
    stated = bindparam("at_now", type_=DateTime(timezone=True))
    return select(func.coalesce(stated, func.clock_timestamp()).label("now")).cte("moment")


def _claimed_slice(moment: CTE) -> CTE:
    lease, grace = (bindparam(name, type_=Interval()) for name in ("the_lease", "the_grace"))
    is_live = exists().where(_PLACEMENTS.c.slice_id == bindparam("this_slice"), may_be_live(_PLACEMENTS))
    is_held = exists().where(_INSTALLATION.c.held_since.is_not(None))
    return (
        update(_SLICES)
        .where(
            _SLICES.c.id == bindparam("this_slice"),
            still(_SLICES.c.status, SliceStatus.SCHEDULED),
            _SLICES.c.attempts == bindparam("tried_before"),
            _SLICES.c.due_at <= moment.c.now,
            _SLICES.c.filled_quantity < _SLICES.c.quantity,
            ~is_live,
            _ORDERS.c.id == _SLICES.c.order_id,
            still(_ORDERS.c.status, OrderStatus.IN_PROGRESS),
            _ORDERS.c.broker == bindparam("by_broker"),
            _ORDERS.c.end_at >= moment.c.now - grace,
            ~is_held,
        )
        .values(
            status=SliceStatus.SENDING,
            attempts=_SLICES.c.attempts + 1,
            client_order_id=bindparam("new_id"),
            broker_order_id=None,
            lease_expires_at=moment.c.now + lease,
            sent_at=moment.c.now,
            absent_since=None,
            cancel_reason=None,
            cancel_asked_at=None,
            cancel_asks=0,
            updated_at=moment.c.now,
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
            _SLICES.c.updated_at.label("claimed_at"),
            _ORDERS.c.total_quantity,
        )
        .cte("claimed")
    )


def _exposed(order_id: ColumnElement[Any]) -> Any:
    """All shares of an order that are filled, live or unsent, as they stood before this statement."""
    part = _SLICES.alias("part")
    leaves = func.greatest(part.c.quantity - part.c.filled_quantity, 0)
    # Not a list: a prepared statement has a fixed number of parameters.
    is_open = or_(*(part.c.status == status for status in SliceStatus if status not in FINAL_SLICES))
    open_shares = func.sum(leaves).filter(is_open)
    total = cast(func.sum(part.c.filled_quantity) + func.coalesce(open_shares, 0), BigInteger)
    return select(total).where(part.c.order_id == order_id).scalar_subquery().label("exposed")


def _claim_statement() -> Select[Any]:
    moment = _moment()
    claimed = _claimed_slice(moment)
    row = claimed.c
    new_id = bindparam("new_id", type_=_PLACEMENTS.c.client_order_id.type)
    broker = bindparam("by_broker", type_=_PLACEMENTS.c.broker.type)
    placed = insert(_PLACEMENTS).from_select(
        ["client_order_id", "slice_id", "attempt", "quantity", "broker", "claimed_at"],
        select(new_id, row.id, row.attempts, row.lacking, broker, row.claimed_at),
    )
    move = (literal(SliceStatus.SCHEDULED.value), literal(SliceStatus.SENDING.value))
    why = {"attempt": row.attempts, "client_order_id": new_id}
    event = _event(claimed, row.account_id, row.claimed_at, EventKind.MOVE, move, **why)
    told = insert(_EVENTS).from_select(_EVENT_COLUMNS, event)
    return select(claimed, _exposed(row.order_id)).add_cte(placed.cte("placed"), told.cte("told"))


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
    at = bindparam("at_now", type_=_EVENTS.c.at.type)
    outcome = literal(PlacementOutcome.ACKNOWLEDGED.value)
    call = {"call": literal("place"), "outcome": outcome, "answer": answer}
    called = _event(moved, account, at, EventKind.BROKER_CALL, (null(), null()), **call)
    move = (literal(SliceStatus.SENDING.value), literal(SliceStatus.WORKING.value))
    went = _event(moved, account, at, EventKind.MOVE, move, attempt=row.attempts, broker_order_id=answer)
    told = insert(_EVENTS).from_select(_EVENT_COLUMNS, union_all(called, went))
    return select(moved.c.id).add_cte(placed.cte("placed"), told.cte("told"))


def _standing_statement() -> Select[Any]:
    part = _SLICES.alias("part")
    lacking = (_SLICES.c.quantity - _SLICES.c.filled_quantity).label("lacking")
    stands = (_SLICES.c.status, _SLICES.c.client_order_id, lacking, _doubled().label("is_doubled"))
    order = (_ORDERS.c.status, _ORDERS.c.total_quantity)
    grouping = (_SLICES.c.status, _SLICES.c.client_order_id, _SLICES.c.quantity, _SLICES.c.filled_quantity)
    return (
        select(*stands, *order, part.c.status, *sums(part))
        .where(
            _SLICES.c.id == bindparam("this_slice"),
            _ORDERS.c.id == _SLICES.c.order_id,
            part.c.order_id == _SLICES.c.order_id,
        )
        .group_by(*grouping, *order, part.c.status)
    )


def _doubled() -> ColumnElement[bool]:
    return exists().where(
        _PLACEMENTS.c.slice_id == bindparam("this_slice"),
        _PLACEMENTS.c.client_order_id != bindparam("this_id"),
        may_be_live(_PLACEMENTS),
    )


# Made once: building a statement costs more than running it.
_CLAIM = _claim_statement().execution_options(**prepared("claim"))
_ACKNOWLEDGE = _acknowledge_statement().execution_options(**prepared("acknowledge"))
_STANDING = _standing_statement().execution_options(**prepared("standing"))
