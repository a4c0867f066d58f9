"""Every move of a slice: compare-and-set, with its event in the same transaction.

The moves that come in a rush, on the way to the broker and at the end there, have statements of their own in `claims`
and `endings`. Nothing else writes a slice's status. `due_slices` and `at_broker` find those that something is to be
done with.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    DateTime,
    Interval,
    Select,
    SmallInteger,
    String,
    and_,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.errors import LostRace
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.metrics.slices import note_slices
from pulse_core.postgres import sql
from pulse_core.trading import slice_ids
from pulse_core.trading.schedule import PlannedSlice
from pulse_core.trading.status import check_slice_move
from pulse_core.trading.store import events, installation
from pulse_core.trading.store.conditions import any_of, status_is
from pulse_core.trading.tables import Order, OrderSlice, Placement

log = get_logger(__name__)


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
class NewSlice:
    """A slice that an order's schedule has, and the id that it gets."""

    id: str
    order_id: str
    planned: PlannedSlice


# The code of a slice that ended with the broker's day, unseen.
END_UNSEEN = "END_UNSEEN"
# What was handed to Celery and came to nothing by then counts as lost.
HINT_LIFETIME = timedelta(seconds=10)


# So many rows are far from what a statement may take.
ADDED_TOGETHER = 500


# An order that was found in the book only later has no instant of its own.
SENT_AT = func.coalesce(OrderSlice.sent_at, Placement.claimed_at)


def id_of(order: Order, sequence_number: int) -> str:
    """The id of the order's slice with this number, whether or not it was made."""
    key = installation.client_order_id_key()
    return slice_ids.slice_id(key, order.account_id, order.order_unique_key, sequence_number)


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
        is_doubted = and_(OrderSlice.status == SliceStatus.UNKNOWN, SENT_AT.op("<")(filters.doubted_before))
        rows = rows.where(or_(is_doubted, OrderSlice.error_code == END_UNSEEN))
    return session.scalars(rows.order_by(OrderSlice.updated_at.desc(), OrderSlice.id).limit(limit)).all()


def change_in_order(session: Session, rows: Select[Any], changes: dict[str, Any]) -> None:
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
