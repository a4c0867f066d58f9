"""Every move of a slice: compare-and-set, with its event in the same transaction.

The moves that come in a rush, on the way to the broker and at the end there, have statements of their own in `attempts`
and `endings`. Nothing else writes a slice's status.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Interval,
    Select,
    SmallInteger,
    String,
    and_,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.vocabulary import AtEnd, OrderStatus, Side, SliceStatus
from pulse_core import db
from pulse_core.errors import LostRace
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.metrics.slices import note_slices
from pulse_core.postgres import sql
from pulse_core.postgres.bounded import chosen_once
from pulse_core.trading.schedule import PlannedSlice
from pulse_core.trading.status import check_slice_move
from pulse_core.trading.store import events, halts
from pulse_core.trading.store.conditions import any_of, status_is
from pulse_core.trading.store.holds import is_free
from pulse_core.trading.tables import Order, OrderSlice, Placement

log = get_logger(__name__)

Rows = TypeVar("Rows", bound=Select[Any])


@dataclass(frozen=True)
class SliceFilters:
    """What a listing is narrowed to; `since` is an aware instant of the slice's last change.

    With `doubted_before`: to ends that were not seen, and to what was sent before then and is UNKNOWN still.
    """

    statuses: Collection[SliceStatus] = ()
    order_id: str | None = None
    since: datetime | None = None
    doubted_before: datetime | None = None


@dataclass(frozen=True)
class DueSlice:
    """A slice that comes due, and what is told of it to people who look at its task."""

    id: str
    due_at: datetime
    trace: dict[str, str]
    order_id: str
    side: Side
    instrument: str
    num_splits: int
    quantity: int
    sequence_number: int


@dataclass(frozen=True)
class NewSlice:
    """A slice that an order's schedule has, and the id that it gets."""

    id: str
    order_id: str
    planned: PlannedSlice


# The code of a slice that ended with the broker's day, unseen.
END_UNSEEN = "END_UNSEEN"
HINT_LIFETIME = timedelta(seconds=10)
# So many rows are far from what a statement may take.
ADDED_TOGETHER = 500
# An order that was found in the book only later has no instant of its own.
_SENT_AT = func.coalesce(OrderSlice.sent_at, Placement.claimed_at)
# As in DueSlice.
_DUE = (
    OrderSlice.id,
    OrderSlice.due_at,
    Order.trace,
    Order.id,
    Order.side,
    Order.instrument,
    Order.num_splits,
    OrderSlice.quantity,
    OrderSlice.sequence_number,
)


def add_planned(session: Session, planned: Sequence[NewSlice], horizon: datetime | None, now: datetime) -> None:
    """Insert the schedules of orders; slices due before `horizon` count as handed to Celery, none without one."""
    for start in range(0, len(planned), ADDED_TOGETHER):
        some = planned[start : start + ADDED_TOGETHER]
        session.execute(
            _ADD_PLANNED,
            {
                "now": now,
                "horizon": horizon,
                "hint_lifetime": HINT_LIFETIME,
                "status": SliceStatus.SCHEDULED.value,
                "ids": [one.id for one in some],
                "order_ids": [one.order_id for one in some],
                "sequence_numbers": [one.planned.sequence_number for one in some],
                "quantities": [one.planned.quantity for one in some],
                "scheduled_at": [one.planned.scheduled_at for one in some],
            },
        )
    db.after_commit(session, partial(note_slices, SliceStatus.SCHEDULED, len(planned)))


def get(session: Session, slice_id: str) -> OrderSlice | None:
    return session.get(OrderSlice, slice_id, populate_existing=True)


def with_orders(
    session: Session, slice_ids: Collection[str], status: SliceStatus, *, is_waited_for: bool = False
) -> Sequence[tuple[OrderSlice, Order]]:
    """Those of the slices that have this status, with their orders; `is_waited_for`: nobody else has them locked then.

    A message that comes again finds none: it must not cost the reading of all that it names.
    """
    rows = select(OrderSlice, Order).join(Order, Order.id == OrderSlice.order_id)
    rows = rows.where(any_of(OrderSlice.id, slice_ids), status_is(OrderSlice.status, status))
    rows = rows.execution_options(populate_existing=True)
    if is_waited_for:
        rows = rows.with_for_update(of=OrderSlice, key_share=True)
    return [(one, order) for one, order in session.execute(rows)]


def broker_accounts_of(connection: Connection, slice_ids: Collection[str]) -> dict[str, str]:
    """The broker account of each of these slices, by the slice's id."""
    rows = select(OrderSlice.id, Order.broker_account).join(Order, Order.id == OrderSlice.order_id)
    return {row[0]: row[1] for row in connection.execute(rows.where(any_of(OrderSlice.id, slice_ids)))}


def lock(session: Session, slice_id: str) -> tuple[Order, OrderSlice]:
    """A slice and its order, both locked until the transaction ends; the order first, as everywhere."""
    order_id = session.scalars(select(OrderSlice.order_id).where(OrderSlice.id == slice_id)).one()
    order = session.get_one(Order, order_id, with_for_update={"key_share": True}, populate_existing=True)
    one = session.get_one(OrderSlice, slice_id, with_for_update={"key_share": True}, populate_existing=True)
    return order, one


def lock_all(session: Session, slice_ids: Collection[str]) -> dict[str, OrderSlice]:
    """These slices by id, locked in the order of their ids until the transaction ends; their orders first."""
    rows = select(OrderSlice).where(any_of(OrderSlice.id, slice_ids)).order_by(OrderSlice.id)
    locked = rows.with_for_update(key_share=True).execution_options(populate_existing=True)
    return {one.id: one for one in session.scalars(locked)}


def of_order(session: Session, order_id: str) -> Sequence[OrderSlice]:
    """All slices of an order in their sequence."""
    rows = select(OrderSlice).where(OrderSlice.order_id == order_id).order_by(OrderSlice.sequence_number)
    return session.scalars(rows.execution_options(populate_existing=True)).all()


def hold(session: Session, order_id: str) -> bool:
    """Keep the slices of an order as they are until the transaction ends; False if somebody is at one of them.

    Waits for nobody: who holds a slice may wait for another one of the same order.
    """
    rows = select(OrderSlice.id).where(OrderSlice.order_id == order_id)
    held = session.scalars(rows.with_for_update(key_share=True, skip_locked=True)).all()
    return len(held) == session.scalar(select(func.count()).where(OrderSlice.order_id == order_id))


def hold_unsent(session: Session, order_id: str) -> Sequence[OrderSlice] | None:
    """The SCHEDULED slices of a locked order in their sequence, which nobody claims until the transaction ends.

    None if somebody is at one of them. Waits for nobody.
    """
    rows = select(OrderSlice).where(OrderSlice.order_id == order_id, OrderSlice.status == SliceStatus.SCHEDULED)
    free = rows.order_by(OrderSlice.sequence_number).with_for_update(key_share=True, skip_locked=True)
    held = session.scalars(free.execution_options(populate_existing=True)).all()
    unsent = func.count().filter(OrderSlice.status == SliceStatus.SCHEDULED)
    are_all = len(held) == session.scalar(select(unsent).where(OrderSlice.order_id == order_id))
    return held if are_all else None


def replan(session: Session, one: OrderSlice, now: datetime, lacking: int, due_at: datetime) -> None:
    """Plan a held SCHEDULED slice anew: when it is due, and how much it asks for if it was never claimed."""
    changes: dict[str, Any] = {}
    if due_at != one.due_at:
        changes |= {"due_at": due_at, "hinted_until": None}
    if one.attempts == 0 and one.filled_quantity == 0:
        changes |= {"scheduled_at": due_at} if due_at != one.due_at else {}
        changes |= {"quantity": lacking} if lacking != one.quantity else {}
    if changes:
        change(session, one.id, now, **changes)


def changed(session: Session, order_id: str, after: int) -> Sequence[OrderSlice]:
    """Those of an order to which something has happened after this event, or that has no number yet, in sequence."""
    is_later = or_(SliceEvent.sequence > after, SliceEvent.sequence.is_(None))
    found = select(SliceEvent.slice_id).where(SliceEvent.order_id == order_id, is_later)
    rows = select(OrderSlice).where(OrderSlice.order_id == order_id, OrderSlice.id.in_(found))
    return session.scalars(rows.order_by(OrderSlice.sequence_number)).all()


def unsent(session: Session, order_id: str) -> Sequence[OrderSlice]:
    """The SCHEDULED slices of an order in their sequence."""
    rows = select(OrderSlice).where(OrderSlice.order_id == order_id, OrderSlice.status == SliceStatus.SCHEDULED)
    return session.scalars(rows.order_by(OrderSlice.sequence_number).execution_options(populate_existing=True)).all()


def move(session: Session, one: OrderSlice, to: SliceStatus, now: datetime, **changes: Any) -> None:
    """Move a slice on from the status it was seen in.

    `changes` are further columns to set. Raises LostRace when somebody else moved it first, with nothing written, and
    IllegalMove for a move the table of moves does not have.
    """
    seen = one.status
    check_slice_move(seen, to)
    moved = session.scalar(
        update(OrderSlice)
        .where(OrderSlice.id == one.id, status_is(OrderSlice.status, seen))
        .values(status=to, updated_at=now, **changes)
        .returning(OrderSlice)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if moved is None:
        raise LostRace(f"slice {one.id} is no longer {seen}", {"slice_id": one.id, "seen": seen, "to": to})
    db.after_commit(session, partial(note_slices, to))
    told = ("error_code", "error_message", "client_order_id", "broker_order_id")
    why = {name: changes[name] for name in told if changes.get(name)}
    events.add(session, EventKind.MOVE, one.order_id, one.id, now, (seen, to), attempt=moved.attempts, **why)
    log.info("slice moved", order_id=one.order_id, slice_id=one.id, seen=seen, to=to, attempt=moved.attempts, **why)


def change(session: Session, slice_id: str, now: datetime, **changes: Any) -> None:
    """Set columns other than the status."""
    session.execute(
        update(OrderSlice)
        .where(OrderSlice.id == slice_id)
        .values(updated_at=now, **changes)
        .execution_options(synchronize_session=False)
    )


def take_due(
    session: Session, broker_account: str, horizon: datetime, now: datetime, limit: int, *, is_repeated: bool = True
) -> Sequence[DueSlice]:
    """Mark up to `limit` slices for this broker account, due before `horizon`, as handed to Celery.

    A hint that leads to nothing within HINT_LIFETIME counts as lost, and the slice is taken again if `is_repeated`.
    """
    due = (
        select(OrderSlice.id)
        .join(Order, Order.id == OrderSlice.order_id)
        .where(
            OrderSlice.status == SliceStatus.SCHEDULED,
            OrderSlice.due_at <= horizon,
            or_(OrderSlice.hinted_until.is_(None), and_(OrderSlice.hinted_until <= now, literal(is_repeated))),
            Order.status == OrderStatus.IN_PROGRESS,
            Order.broker_account == broker_account,
            is_free(),
        )
        .order_by(OrderSlice.due_at)
        .limit(limit)
        .with_for_update(of=OrderSlice, skip_locked=True, key_share=True)
    )
    taken = session.execute(
        update(OrderSlice)
        .where(OrderSlice.id.in_(chosen_once(due)), Order.id == OrderSlice.order_id)
        .values(hinted_until=func.greatest(OrderSlice.due_at, now) + HINT_LIFETIME)
        .returning(*_DUE)
        .execution_options(synchronize_session=False)
    )
    return [DueSlice(*row) for row in taken]


def overdue(session: Session, broker_account: str, before: datetime, limit: int) -> Sequence[str]:
    """Slices for this broker account that should have gone out before this instant and that nobody claimed."""
    rows = (
        select(OrderSlice.id)
        .join(Order, Order.id == OrderSlice.order_id)
        .where(
            OrderSlice.status == SliceStatus.SCHEDULED,
            OrderSlice.due_at <= before,
            Order.status == OrderStatus.IN_PROGRESS,
            Order.broker_account == broker_account,
            is_free(),
        )
        .order_by(OrderSlice.due_at)
        .limit(limit)
    )
    return session.scalars(rows).all()


def due_on(
    session: Session, broker_account: str, exchanges: Collection[str], now: datetime, limit: int
) -> Sequence[tuple[OrderSlice, Order]]:
    """Due slices for this broker account on these exchanges, with their orders, the oldest first."""
    rows = (
        select(OrderSlice, Order)
        .join(Order, Order.id == OrderSlice.order_id)
        .where(
            OrderSlice.status == SliceStatus.SCHEDULED,
            OrderSlice.due_at <= now,
            Order.status == OrderStatus.IN_PROGRESS,
            Order.broker_account == broker_account,
            any_of(func.split_part(Order.instrument, ":", 1), exchanges),
        )
    )
    found = session.execute(rows.order_by(OrderSlice.due_at).limit(limit).execution_options(populate_existing=True))
    return [(one, order) for one, order in found]


def put_off(session: Session, slice_ids: Sequence[str], now: datetime, due_at: datetime) -> None:
    """Have those of these slices that are due and unsent wait until `due_at`, without a turn."""
    waiting = select(OrderSlice.id).where(
        any_of(OrderSlice.id, slice_ids), status_is(OrderSlice.status, SliceStatus.SCHEDULED), OrderSlice.due_at <= now
    )
    _change_in_order(session, waiting, {"due_at": due_at, "turn_at": None, "hinted_until": None, "updated_at": now})


def expired_claims(session: Session, now: datetime, limit: int) -> Sequence[str]:
    """Slices whose claim has outlived its lease."""
    rows = select(OrderSlice.id).where(OrderSlice.status == SliceStatus.SENDING, OrderSlice.lease_expires_at <= now)
    return session.scalars(rows.order_by(OrderSlice.lease_expires_at).limit(limit)).all()


def to_resolve(session: Session, broker_account: str, now: datetime, limit: int) -> Sequence[OrderSlice]:
    """UNKNOWN slices whose next look into this broker account's book is due."""
    rows = _unknown(select(OrderSlice), broker_account).where(OrderSlice.resolve_at <= now)
    return session.scalars(rows.order_by(OrderSlice.resolve_at).limit(limit)).all()


def has_unknown(session: Session, broker_account: str) -> bool:
    """Whether anything is in doubt at this broker account."""
    return session.scalar(_unknown(select(OrderSlice.id), broker_account).limit(1)) is not None


def begin_delays_anew(session: Session, broker_account: str, now: datetime) -> None:
    """Forget since when UNKNOWN slices have been absent from this broker account's book."""
    waiting = _unknown(select(OrderSlice.id), broker_account).where(OrderSlice.absent_since.is_not(None))
    _change_in_order(session, waiting, {"absent_since": None, "updated_at": now})


def postpone_looks(session: Session, slice_ids: Sequence[str], until: datetime, now: datetime) -> None:
    """Postpone the next check of these UNKNOWN slices, and restart their settle delay."""
    unknown = select(OrderSlice.id).where(any_of(OrderSlice.id, slice_ids), OrderSlice.status == SliceStatus.UNKNOWN)
    _change_in_order(session, unknown, {"resolve_at": until, "absent_since": None, "updated_at": now})


def working(session: Session, broker_account: str) -> dict[str, str]:
    """Every slice that is live at this broker account: slice ids by broker order id, the nearest deadline first."""
    rows = (
        select(OrderSlice.broker_order_id, OrderSlice.id)
        .join(Order, Order.id == OrderSlice.order_id)
        .where(OrderSlice.status == SliceStatus.WORKING, Order.broker_account == broker_account)
    )
    found = session.execute(rows.order_by(OrderSlice.deadline_at))
    return {broker_order_id: slice_id for broker_order_id, slice_id in found if broker_order_id}


def oldest_at_the_broker(session: Session, broker_account: str) -> datetime | None:
    """When the oldest of this account's slices was sent that works there, or may."""
    rows = (
        select(func.min(_SENT_AT))
        .select_from(OrderSlice)
        .join(Order, Order.id == OrderSlice.order_id)
        .join(Placement, Placement.client_order_id == OrderSlice.client_order_id)
        .where(
            OrderSlice.status.in_((SliceStatus.WORKING, SliceStatus.UNKNOWN)), Order.broker_account == broker_account
        )
    )
    return session.scalar(rows)


def to_cancel(
    session: Session,
    broker_account: str,
    sent_since: datetime,
    now: datetime,
    pauses: tuple[timedelta, timedelta],
    limit: int,
) -> Sequence[tuple[OrderSlice, bool]]:
    """This broker account's slices, sent since an instant, that work past their deadline, are called back, or halted;
    and whether they are called back by a halt.

    An order that is being cancelled calls its slices back, and a paused one that was asked to.

    With them those of orders that end with a slice at market, when their window is over. What is halted comes first,
    then what was asked for least often. The first of the `pauses` comes after the first request, twice as
    long a one after each further request, and the second of them is the longest.
    """
    shortest, longest = (literal(pause, Interval) for pause in pauses)
    doublings = func.least(func.greatest(OrderSlice.cancel_asks, 1) - 1, 20)
    asked_until = OrderSlice.cancel_asked_at + func.least(
        shortest.op("*", return_type=Interval())(func.power(2, doublings)), longest
    )
    is_halted = halts.is_called_back().label("is_halted")
    rows = (
        select(OrderSlice, is_halted)
        .join(Order, Order.id == OrderSlice.order_id)
        .join(Placement, Placement.client_order_id == OrderSlice.client_order_id)
        .where(
            OrderSlice.status == SliceStatus.WORKING,
            Order.broker_account == broker_account,
            _SENT_AT.op(">=")(sent_since),
            or_(
                OrderSlice.deadline_at <= now,
                Order.status == OrderStatus.CANCELLING,
                and_(Order.status == OrderStatus.PAUSED, Order.recalls_working),
                _is_called_back(now),
                halts.is_called_back(),
            ),
            or_(OrderSlice.cancel_asked_at.is_(None), asked_until <= now),
        )
        .order_by(
            is_halted.desc(),
            OrderSlice.cancel_asks,
            OrderSlice.cancel_asked_at.asc().nulls_first(),
            OrderSlice.deadline_at,
        )
        .limit(limit)
    )
    return [(one, is_called) for one, is_called in session.execute(rows)]


def makes_room(order: Order, one: OrderSlice, now: datetime) -> bool:
    """Whether this slice, which works, is to make room for the last slice of its order."""
    is_due = order.at_end is AtEnd.MARKET and order.replan_at is not None and order.replan_at <= now
    return is_due and order.end_at <= now and not one.is_last


def _is_called_back(now: datetime) -> ColumnElement[bool]:
    """Whether what works of an order is to make room for its last slice."""
    return and_(Order.at_end == AtEnd.MARKET, Order.replan_at <= now, Order.end_at <= now, ~OrderSlice.is_last)


def left_working(session: Session, broker_account: str, sent_before: datetime) -> Sequence[OrderSlice]:
    """This broker account's slices that still work an order sent before this instant, the oldest first."""
    rows = (
        select(OrderSlice)
        .join(Order, Order.id == OrderSlice.order_id)
        .join(Placement, Placement.client_order_id == OrderSlice.client_order_id)
        .where(
            OrderSlice.status == SliceStatus.WORKING,
            Order.broker_account == broker_account,
            _SENT_AT.op("<")(sent_before),
        )
    )
    return session.scalars(rows.order_by(_SENT_AT)).all()


def listed(session: Session, filters: SliceFilters, limit: int) -> Sequence[OrderSlice]:
    """Up to `limit` slices of any account, the latest changed first."""
    rows = select(OrderSlice)
    if filters.statuses:
        rows = rows.where(OrderSlice.status.in_(filters.statuses))
    if filters.order_id is not None:
        rows = rows.where(OrderSlice.order_id == filters.order_id)
    if filters.since is not None:
        rows = rows.where(OrderSlice.updated_at >= filters.since)
    if filters.doubted_before is not None:
        rows = rows.join(Placement, Placement.client_order_id == OrderSlice.client_order_id)
        is_doubted = and_(OrderSlice.status == SliceStatus.UNKNOWN, _SENT_AT.op("<")(filters.doubted_before))
        rows = rows.where(or_(is_doubted, OrderSlice.error_code == END_UNSEEN))
    return session.scalars(rows.order_by(OrderSlice.updated_at.desc(), OrderSlice.id).limit(limit)).all()


def _unknown(rows: Rows, broker_account: str) -> Rows:
    return rows.join(Order, Order.id == OrderSlice.order_id).where(
        OrderSlice.status == SliceStatus.UNKNOWN, Order.broker_account == broker_account
    )


def _change_in_order(session: Session, rows: Select[Any], changes: dict[str, Any]) -> None:
    # Locked in the order of their ids: two sweeps that met the same outage would deadlock otherwise.
    rows = rows.order_by(OrderSlice.id).with_for_update(of=OrderSlice, key_share=True)
    locked = session.scalars(rows).all()
    session.execute(
        update(OrderSlice)
        .where(any_of(OrderSlice.id, locked))
        .values(**changes)
        .execution_options(synchronize_session=False)
    )


_ADD_PLANNED = sql.load(
    __package__,
    "add_slices",
    {
        "now": DateTime(timezone=True),
        "horizon": DateTime(timezone=True),
        "hint_lifetime": Interval(),
        "status": String(),
        "ids": ARRAY(String()),
        "order_ids": ARRAY(String()),
        "sequence_numbers": ARRAY(SmallInteger()),
        "quantities": ARRAY(BigInteger()),
        "scheduled_at": ARRAY(DateTime(timezone=True)),
    },
)
