"""The budget of an account at a broker, and who has been given a turn under it.

Whoever gives turns has read the budget before, and writes only if nobody has changed it since: each change is one
statement that commits by itself, so that no process that dies or is stopped holds up the others.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Connection,
    Date,
    DateTime,
    Integer,
    Interval,
    Select,
    String,
    TextClause,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import TextualSelect

from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core.postgres import sql
from pulse_core.postgres.prepared import prepared
from pulse_core.trading.store.due_slices import DueSlice
from pulse_core.trading.store.holds import is_free
from pulse_core.trading.tables import Order, OrderSlice
from pulse_core.trading.turn_tables import BrokerBudget

_AT = DateTime(timezone=True)
# Of what waits, so many are looked at for a round: more than an account may be asked in a day.
LOOKED_AT = 20_000


@dataclass(frozen=True)
class Budget:
    """What was read of it at `now`; `taken` are microseconds from there, in order of time."""

    now: datetime
    version: int
    day: date
    calls_of_day: int
    full_until: datetime | None
    is_held: bool
    taken: Sequence[int]


@dataclass(frozen=True)
class Waiting:
    """A slice that needs a turn, and the one that it missed."""

    slice: DueSlice
    missed_at: datetime | None


@dataclass(frozen=True)
class Turn:
    """What a slice was given. `is_told`: a message shall bring it to a worker, the watch otherwise."""

    slice_id: str
    at: datetime
    is_told: bool = False


def read(connection: Connection, broker_account: str, kept: timedelta, now: datetime | None) -> Budget | None:
    """The budget by the database's clock, or at a given instant; None for an account that has none yet."""
    row = connection.execute(_BUDGET, {"broker_account": broker_account, "kept": kept, "now": now}).one()
    return None if row.version is None else Budget(*row)


def open_budget(connection: Connection, broker_account: str) -> None:
    """Begin a budget, unless there is one."""
    now = func.clock_timestamp()
    values = {
        "broker_account": broker_account,
        "version": 1,
        "day": date.min,
        "calls_of_day": 0,
        "given_at": now,
        "room_at": now,
    }
    connection.execute(insert(BrokerBudget).values(values).on_conflict_do_nothing())


def waiting(
    connection: Connection,
    broker_account: str,
    now: datetime,
    horizon: datetime,
    missed_before: datetime,
    too_far: datetime,
    open_since: datetime,
    most: int,
) -> list[Waiting]:
    """Slices that come due before `horizon` and have no turn, in the order in which they should get one.

    A turn before `missed_before` was missed, one after `too_far` is none. Orders whose window ended before `open_since`
    are left out.
    """
    binds = {
        "broker_account": broker_account,
        "now": now,
        "horizon": horizon,
        "missed_before": missed_before,
        "too_far": too_far,
    }
    rows = connection.execute(_WAITING, {**binds, "open_since": open_since, "looked_at": LOOKED_AT, "most": most})
    return [Waiting(DueSlice(*row[:-1]), row[-1]) for row in rows]


def give(
    connection: Connection,
    budget: Budget,
    broker_account: str,
    day: date,
    turns: Mapping[str, tuple[datetime | None, datetime]],
    room_at: datetime,
    trust: timedelta,
    turn_lasts: timedelta,
    kept: timedelta,
) -> list[Turn] | None:
    """Give slices, by id, a turn in place of the one that they missed; None when the budget has changed meanwhile.

    Slices that have gone on meanwhile are left out. For as long as `trust` from its first turn on, a message is relied
    on to bring a slice to a worker.
    """
    binds = {
        "broker_account": broker_account,
        "version": budget.version,
        "day": day,
        "now": budget.now,
        "slice_ids": list(turns),
        "missed_turns": [missed_at for missed_at, _ in turns.values()],
        "turns": [at for _, at in turns.values()],
        "room_at": room_at,
        "trust": trust,
        "turn_lasts": turn_lasts,
        "kept_since": budget.now - kept,
    }
    rows = connection.execute(_GIVE, binds).all()
    return [Turn(*row) for row in rows if row[0] is not None] if rows else None


def give_to_cancels(
    connection: Connection,
    budget: Budget,
    broker_account: str,
    day: date,
    slice_ids: Sequence[str],
    free: Sequence[datetime],
    between: tuple[datetime, datetime],
) -> list[Turn] | None:
    """Give cancels free turns, and for those who go without one of a placement between two instants; None as above."""
    binds = {
        "broker_account": broker_account,
        "version": budget.version,
        "day": day,
        "slice_ids": list(slice_ids),
        "turns": list(free),
    }
    earliest, latest = between
    lacking = {"lacking": len(slice_ids) - len(free), "earliest": earliest, "latest": latest}
    rows = connection.execute(_GIVE_TO_CANCELS, binds | lacking).all()
    return [Turn(*row) for row in rows if row[0] is not None] if rows else None


def give_back_halted(connection: Connection, broker_account: str, now: datetime | None) -> None:
    """Take back the turns to come of an account's slices that are halted. They were no calls."""
    connection.execute(_GIVE_BACK, {"broker_account": broker_account, "now": now})


def accounts(session: Session) -> Sequence[str]:
    """The broker accounts that have a budget."""
    return session.scalars(select(BrokerBudget.broker_account).order_by(BrokerBudget.broker_account)).all()


def mark_full(
    connection: Connection,
    broker_account: str,
    second: timedelta,
    minute: timedelta,
    soon: timedelta,
    now: datetime | None,
) -> datetime | None:
    """Admit nothing for a second; when the last such mark ran out less than `soon` ago for twice as long as it said, up
    to a minute. Returns until when.
    """
    binds = {"broker_account": broker_account, "second": second, "minute": minute, "soon": soon, "now": now}
    until: datetime | None = connection.execute(_MARK_FULL, binds).scalar()
    return until


def untold(
    connection: Connection, broker_account: str, since: datetime, until: datetime, most: int
) -> Mapping[str, datetime]:
    """Slices whose turn comes between two instants and that no message brings to a worker, with their turns."""
    binds = {"broker_account": broker_account, "since": since, "until": until, "most": most}
    return {row.id: row.turn_at for row in connection.execute(_UNTOLD, binds)}


def distrust(connection: Connection, slice_ids: Collection[str]) -> None:
    """The messages for these slices were not sent."""
    untold = update(OrderSlice).where(OrderSlice.id.in_(slice_ids), OrderSlice.turn_at.is_not(None))
    connection.execute(untold.values(hinted_until=OrderSlice.turn_at).execution_options(synchronize_session=False))


def is_neglected(session: Session, broker_account: str, before: datetime, missed_before: datetime) -> bool:
    """Whether a slice was due before an instant and has no turn, although there was room and nobody has given any."""
    budget = session.get(BrokerBudget, broker_account)
    if budget is not None and max(filter(None, (budget.given_at, budget.room_at, budget.full_until))) > before:
        return False
    rows = _due(broker_account, before).where(or_(OrderSlice.turn_at.is_(None), OrderSlice.turn_at < missed_before))
    return session.scalar(rows.limit(1)) is not None


def is_any_due(connection: Connection, before: datetime) -> bool:
    """Whether any slice of any broker account waits that is due before an instant."""
    return bool(connection.scalar(_IS_ANY_DUE, {"before": before}))


def over(session: Session, broker_account: str, ended_before: datetime, now: datetime, limit: int) -> Sequence[str]:
    """Due slices for this account that never go out: their order's window ended before, or nothing is left to send."""
    is_over = or_(Order.end_at < ended_before, OrderSlice.filled_quantity >= OrderSlice.quantity)
    return session.scalars(_due(broker_account, now).where(is_over).order_by(OrderSlice.due_at).limit(limit)).all()


def _due(broker_account: str, before: datetime) -> Select[str]:
    rows = select(OrderSlice.id).join(Order, Order.id == OrderSlice.order_id)
    return rows.where(
        OrderSlice.status == SliceStatus.SCHEDULED,
        OrderSlice.due_at <= before,
        Order.status == OrderStatus.IN_PROGRESS,
        Order.broker_account == broker_account,
        is_free(),
    )


def _load(name: str, binds: sql.Types) -> TextClause:
    return sql.load(__package__, name, {"broker_account": String(), **binds})


def _load_waiting() -> TextualSelect:
    instants = dict.fromkeys(("now", "horizon", "missed_before", "too_far", "open_since"), _AT)
    statement = _load("waiting", {**instants, "looked_at": Integer(), "most": Integer()})
    slice_, order = OrderSlice.__table__.c, Order.__table__.c
    columns = [slice_.id, slice_.due_at, order.trace, slice_.order_id, order.side, order.instrument, order.num_splits]
    columns += [slice_.quantity, slice_.sequence_number, slice_.turn_at]
    return statement.columns(**{column.name: column.type for column in columns})


_CHANGE: sql.Types = {"version": BigInteger(), "day": Date(), "slice_ids": ARRAY(String()), "turns": ARRAY(_AT)}
_OF_GIVING: sql.Types = {
    **_CHANGE,
    **dict.fromkeys(("now", "room_at", "kept_since"), _AT),
    **dict.fromkeys(("trust", "turn_lasts"), Interval()),
    "missed_turns": ARRAY(_AT),
}
_OF_CANCELS: sql.Types = {**_CHANGE, "earliest": _AT, "latest": _AT, "lacking": Integer()}
_OF_A_FULL_WINDOW: sql.Types = {"now": _AT, **dict.fromkeys(("second", "minute", "soon"), Interval())}

_BUDGET = (
    _load("budget", {"now": _AT, "kept": Interval()})
    .columns(
        now=_AT,
        version=BigInteger(),
        day=Date(),
        calls_of_day=Integer(),
        full_until=_AT,
        is_held=Boolean(),
        taken=ARRAY(BigInteger()),
    )
    .execution_options(**prepared("budget"))
)
_WAITING = _load_waiting().execution_options(**prepared("waiting"))
_GIVE = (
    _load("give_turns", _OF_GIVING)
    .columns(id=String(), turn_at=_AT, is_told=Boolean())
    .execution_options(**prepared("give_turns"))
)
_GIVE_TO_CANCELS = (
    _load("give_turns_to_cancels", _OF_CANCELS)
    .columns(slice_id=String(), at=_AT)
    .execution_options(**prepared("give_turns_to_cancels"))
)
_GIVE_BACK = _load("give_turns_back", {"now": _AT})
_MARK_FULL = _load("mark_full", _OF_A_FULL_WINDOW).columns(full_until=_AT).execution_options(**prepared("mark_full"))
_UNTOLD = (
    _load("untold", {"since": _AT, "until": _AT, "most": Integer()})
    .columns(id=String(), turn_at=_AT)
    .execution_options(**prepared("untold"))
)
_IS_ANY_DUE = select(
    exists().where(OrderSlice.status == SliceStatus.SCHEDULED, OrderSlice.due_at <= bindparam("before", type_=_AT))
)
