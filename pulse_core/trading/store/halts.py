"""Halts: what nothing new is sent of, what of it was at the broker when that began, and what became of it."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    String,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.vocabulary import HaltedState, HaltedWorking, HoldReason, OrderStatus, SliceStatus
from pulse_core.events.names import EventKind
from pulse_core.events.tables import usernames
from pulse_core.owner import Owner
from pulse_core.postgres import sql
from pulse_core.postgres.owned import owned_by
from pulse_core.trading.halt_tables import Halt
from pulse_core.trading.store.conditions import any_of
from pulse_core.trading.tables import Order, OrderSlice

log = get_logger(__name__)

_AT = DateTime(timezone=True)
# A claim that a halt did not stop was made while that was written, and is on record by now.
_CLAIMED_WITHIN = timedelta(seconds=10)
_OPEN = (OrderStatus.IN_PROGRESS, OrderStatus.PAUSED)


@dataclass(frozen=True)
class HaltScope:
    """Whose orders are halted, at which broker account, of which instrument; None: all. All None: everything."""

    account_id: str | None = None
    broker_account: str | None = None
    instrument: str | None = None

    def covers(self, account_id: str, broker_account: str, instrument: str) -> bool:
        """Whether orders of this account, for this broker account and of this instrument are in it."""
        asked = (self.account_id, account_id), (self.broker_account, broker_account), (self.instrument, instrument)
        return all(mine in (None, given) for mine, given in asked)


@dataclass(frozen=True)
class Share:
    """Attempts or slices in one state: how many, what they lack, and what was filled of them since the halt began."""

    count: int = 0
    leaves_quantity: int = 0
    filled_meanwhile: int = 0


@dataclass(frozen=True)
class HaltedSlice:
    """A slice that a halt covers, by its attempt if it has one."""

    slice_id: str
    order_id: str
    account_id: str
    sequence_number: int
    instrument: str
    state: HaltedState
    quantity: int
    filled_quantity: int
    filled_meanwhile: int
    broker_order_id: str | None
    key: str


def scope_of(halt: Halt) -> HaltScope:
    """What a halt covers."""
    return HaltScope(halt.account_id, halt.broker_account, halt.instrument)


def is_halted() -> ColumnElement[bool]:
    """The condition that a halt in force covers the order."""
    return exists().where(Halt.released_at.is_(None), *_covers())


def is_called_back() -> ColumnElement[bool]:
    """The condition that what works of the order at the broker is to be cancelled there for a halt."""
    return exists().where(
        Halt.released_at.is_(None),
        Halt.release_asked_at.is_(None),
        Halt.working == HaltedWorking.CANCEL,
        *_covers(),
    )


def calls_back(session: Session, order_id: str) -> bool:
    """Whether a halt has what works of this order called back."""
    return bool(session.scalar(select(Order.id).where(Order.id == order_id, is_called_back())))


def serialize(session: Session) -> None:
    """Let those who make and release halts come one after the other, until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(literal("halts", String), 0))))


def in_force(session: Session) -> Sequence[Halt]:
    """Every halt that is not released, the oldest first."""
    rows = select(Halt).where(Halt.released_at.is_(None)).order_by(Halt.id)
    return session.scalars(rows.execution_options(populate_existing=True)).all()


def to_watch(session: Session) -> Sequence[Halt]:
    """Every halt that is in force, or of which something may still be at the broker, the oldest first."""
    rows = select(Halt).where(or_(Halt.released_at.is_(None), Halt.quiet_at.is_(None))).order_by(Halt.id)
    return session.scalars(rows.execution_options(populate_existing=True)).all()


def of_scope(session: Session, scope: HaltScope) -> Halt | None:
    """The halt in force with exactly this scope."""
    return next((one for one in in_force(session) if scope_of(one) == scope), None)


def get(session: Session, owner: Owner, halt_id: str, *, locked: bool = False) -> Halt | None:
    """A halt of the owner's orders and of no others; None for any other."""
    rows = select(Halt).where(Halt.id == halt_id, owned_by(Halt.account_id, owner))
    rows = rows.with_for_update(key_share=True) if locked else rows
    return session.scalar(rows.execution_options(populate_existing=True))


def add(session: Session, halt: Halt) -> None:
    """Put it in force, from the commit on."""
    session.add(halt)
    session.flush()


def change(session: Session, halt: Halt, **changes: Any) -> None:
    """Set columns of a locked halt."""
    changed = update(Halt).where(Halt.id == halt.id).values(**changes).returning(Halt)
    session.scalar(changed.execution_options(synchronize_session=False, populate_existing=True))


def names(session: Session, found: Collection[Halt]) -> dict[str, str]:
    """The usernames, by id, of the accounts that made these halts or that they are of."""
    rows = session.execute(usernames({one for halt in found for one in (halt.made_by, halt.account_id) if one}))
    return {row.id: row.username for row in rows}


def page(session: Session, owner: Owner, *, is_released: bool | None, limit: int, beyond: str | None) -> Sequence[Halt]:
    """Up to `limit` halts of the owner's orders, the latest first, those before the id `beyond`."""
    rows = select(Halt).where(owned_by(Halt.account_id, owner))
    if is_released is not None:
        rows = rows.where(Halt.released_at.is_not(None) if is_released else Halt.released_at.is_(None))
    if beyond is not None:
        rows = rows.where(Halt.id < beyond)
    return session.scalars(rows.order_by(Halt.id.desc()).limit(limit)).all()


def note_told(session: Session, halt: Halt, now: datetime) -> bool:
    """Whether its orders are to be told of it, by whoever asks first."""
    told = update(Halt).where(Halt.id == halt.id, Halt.told_at.is_(None)).values(told_at=now).returning(Halt.id)
    return session.scalar(told.execution_options(synchronize_session=False)) is not None


def keep_receipt(session: Session, halt: Halt, now: datetime) -> None:
    """Note what of a halt's scope is at the broker, and since when nothing is that should not be."""
    if halt.released_at is None:
        note_attempts(session, halt.id, scope_of(halt), halt.made_at, is_first=False)
    is_quiet = not _is_anything_left(session, halt)
    if is_quiet != (halt.quiet_at is not None):
        quiet_at = max(now, halt.made_at) if is_quiet else None
        same = update(Halt).where(Halt.id == halt.id, Halt.quiet_at.is_not_distinct_from(halt.quiet_at))
        session.scalar(
            same.values(quiet_at=quiet_at)
            .returning(Halt)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
        log.warning("halt is quiet" if is_quiet else "halt is quiet no more", halt_id=halt.id)


def note_attempts(session: Session, halt_id: str, scope: HaltScope, made_at: datetime, *, is_first: bool) -> None:
    """Remember what of the scope may be at the broker; `is_first`: before anything was called back.

    It may be repeated as long as the halt is in force.
    """
    claimed = {"claimed_since": made_at - _CLAIMED_WITHIN, "claimed_by": made_at + _CLAIMED_WITHIN / 10}
    session.execute(_NOTE, {"halt_id": halt_id, "is_first": is_first, **_bound(scope), **claimed})


def tell(session: Session, halt: Halt, kind: EventKind, now: datetime, **detail: Any) -> None:
    """Tell of its open orders that they are halted, or no longer."""
    told = json.dumps({"reason": HoldReason.HALTED.value, "halt_id": halt.id, **detail})
    session.execute(_TELL, {**_bound(scope_of(halt)), "kind": kind.value, "now": now, "detail": told})


def shares(session: Session, halt: Halt) -> dict[HaltedState, Share]:
    """What a halt covers, by state: attempts as they stand now, and while it is in force what is unsent."""
    attempts = _ATTEMPTS.subquery()
    leaves = func.greatest(attempts.c.quantity - attempts.c.filled, 0)
    sums = (func.sum(leaves), func.sum(attempts.c.filled_meanwhile))
    rows = select(attempts.c.state, func.count(), *sums).group_by(attempts.c.state)
    found = {
        HaltedState(state): Share(count, int(lacking), int(filled))
        for state, count, lacking, filled in session.execute(rows, {"halt_id": halt.id})
    }
    if halt.released_at is None:
        lacking = func.coalesce(func.sum(OrderSlice.quantity - OrderSlice.filled_quantity), 0)
        counted = select(func.count().label("slices"), lacking.label("quantity"))
        unsent = session.execute(counted.select_from(OrderSlice).join(Order).where(*_is_unsent(halt))).one()
        found[HaltedState.UNSENT] = Share(unsent.slices, int(unsent.quantity))
    return {state: found.get(state, Share()) for state in HaltedState}


def slices(
    session: Session, halt: Halt, state: HaltedState | None, limit: int, beyond: str | None
) -> Sequence[HaltedSlice]:
    """Up to `limit` slices that a halt covers, those after the key `beyond`; without a state, all but the unsent."""
    if state is HaltedState.UNSENT:
        return _unsent_slices(session, halt, limit, beyond)
    attempts = _ATTEMPTS.subquery()
    rows = (
        select(
            attempts.c.slice_id, OrderSlice.order_id, Order.account_id, OrderSlice.sequence_number, Order.instrument,
            attempts.c.state, attempts.c.quantity, attempts.c.filled.label("filled_quantity"),
            attempts.c.filled_meanwhile, attempts.c.broker_order_id, attempts.c.client_order_id.label("key"),
        )
        .join(OrderSlice, OrderSlice.id == attempts.c.slice_id)
        .join(Order, Order.id == OrderSlice.order_id)
    )  # fmt: skip
    if state is not None:
        rows = rows.where(attempts.c.state == state.value)
    if beyond is not None:
        rows = rows.where(attempts.c.client_order_id > beyond)
    found = session.execute(rows.order_by(attempts.c.client_order_id).limit(limit), {"halt_id": halt.id})
    return [HaltedSlice(**{**row._mapping, "state": HaltedState(row.state)}) for row in found]


def missed(session: Session, scope: HaltScope, now: datetime, beyond: str, limit: int) -> Sequence[str]:
    """Orders in progress of a scope with a slice that should have gone out, after the id `beyond`."""
    overdue = exists().where(
        OrderSlice.order_id == Order.id, OrderSlice.status == SliceStatus.SCHEDULED, OrderSlice.due_at <= now
    )
    rows = select(Order.id).where(
        Order.status == OrderStatus.IN_PROGRESS, Order.hold.is_(None), Order.id > beyond, *_in(scope), overdue
    )
    return session.scalars(rows.order_by(Order.id).limit(limit)).all()


def _is_anything_left(session: Session, halt: Halt) -> bool:
    """Whether anything that a halt covers may still trade that is not to be kept."""
    attempts = _ATTEMPTS.subquery()
    waited_for = [HaltedState.UNKNOWN.value]
    if halt.working is HaltedWorking.CANCEL:
        waited_for.append(HaltedState.WORKING.value)
    rows = select(exists().where(any_of(attempts.c.state, waited_for)))
    return bool(session.scalar(rows, {"halt_id": halt.id}))


def _unsent_slices(session: Session, halt: Halt, limit: int, beyond: str | None) -> Sequence[HaltedSlice]:
    if halt.released_at is not None:
        return []
    columns = (
        OrderSlice.id.label("slice_id"), OrderSlice.order_id, Order.account_id, OrderSlice.sequence_number,
        Order.instrument, OrderSlice.quantity, OrderSlice.filled_quantity,
    )  # fmt: skip
    rows = select(*columns).join(Order).where(*_is_unsent(halt))
    if beyond is not None:
        rows = rows.where(OrderSlice.id > beyond)
    found = session.execute(rows.order_by(OrderSlice.id).limit(limit))
    nothing: dict[str, Any] = {"state": HaltedState.UNSENT, "filled_meanwhile": 0, "broker_order_id": None}
    return [HaltedSlice(**row._mapping, **nothing, key=row.slice_id) for row in found]


def _is_unsent(halt: Halt) -> list[ColumnElement[bool]]:
    return [OrderSlice.status == SliceStatus.SCHEDULED, Order.status.in_(_OPEN), *_in(scope_of(halt))]


def _in(scope: HaltScope) -> list[ColumnElement[bool]]:
    asked = (
        (Order.account_id, scope.account_id),
        (Order.broker_account, scope.broker_account),
        (Order.instrument, scope.instrument),
    )
    return [column == value for column, value in asked if value is not None]


def _covers() -> list[ColumnElement[bool]]:
    pairs = (
        (Halt.account_id, Order.account_id),
        (Halt.broker_account, Order.broker_account),
        (Halt.instrument, Order.instrument),
    )
    return [or_(mine.is_(None), mine == of_order) for mine, of_order in pairs]


def _bound(scope: HaltScope) -> dict[str, str | None]:
    return {
        "account_id": scope.account_id,
        "broker_account": scope.broker_account,
        "instrument": scope.instrument,
    }


_SCOPE: sql.Types = dict.fromkeys(("account_id", "broker_account", "instrument"), String())
_NOTE = sql.load(
    __package__,
    "note_halted",
    {**_SCOPE, "halt_id": String(), "is_first": Boolean(), **dict.fromkeys(("claimed_since", "claimed_by"), _AT)},
)
_TELL = sql.load(__package__, "tell_of_halt", {**_SCOPE, "now": _AT, **dict.fromkeys(("kind", "detail"), String())})
_ATTEMPTS = sql.load(__package__, "halted_attempts", {"halt_id": String()}).columns(
    client_order_id=String(),
    slice_id=String(),
    broker_order_id=String(),
    quantity=BigInteger(),
    filled=BigInteger(),
    filled_meanwhile=BigInteger(),
    state=String(),
)
