"""The loads of brokers' lists: asked for, begun by one worker at a time, ended by it. Postgres's clock decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import ColumnElement, Connection, Interval, String, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from api_contract.vocabulary import LoadOutcome
from pulse_core.errors import LostRace
from pulse_core.instruments.tables import InstrumentLoad
from pulse_core.postgres import sql


@dataclass(frozen=True)
class Begun:
    """A load that is this worker's, until its time is over."""

    id: int
    broker: str
    holder: str
    accepts_smaller: bool


@dataclass(frozen=True)
class Rests:
    """How long the next load waits after one that came to nothing."""

    least: timedelta
    most: timedelta


@dataclass(frozen=True)
class InForce:
    """The load whose list counts, and when it ended."""

    load_id: int
    loaded_at: datetime


def ask_daily(connection: Connection, broker: str, asked_by: str, ready_at: time, time_zone: str, rests: Rests) -> None:
    """Ask for the list of the day where there is none since it was ready, and none was tried of late."""
    ready_after = timedelta(hours=ready_at.hour, minutes=ready_at.minute)
    connection.execute(
        _ASK_DAILY,
        {
            "broker": broker,
            "asked_by": asked_by,
            "ready_after": ready_after,
            "time_zone": time_zone,
            "least_rest": rests.least,
            "most_rest": rests.most,
        },
    )


def ask(session: Session, broker: str, asked_by: str, *, accepts_smaller: bool) -> InstrumentLoad:
    """Ask for a load; one that is not ended is it, and takes a smaller list if this one may."""
    row = insert(InstrumentLoad).values(
        broker=broker, asked_by=asked_by, asked_at=func.clock_timestamp(), accepts_smaller=accepts_smaller
    )
    known = InstrumentLoad.accepts_smaller | row.excluded.accepts_smaller
    asked = row.on_conflict_do_update(
        index_elements=["broker"], index_where=InstrumentLoad.ended_at.is_(None), set_={"accepts_smaller": known}
    ).returning(InstrumentLoad)
    return session.scalars(asked, execution_options={"populate_existing": True}).one()


def begin(connection: Connection, broker: str, holder: str, lease: timedelta) -> Begun | None:
    """Take the broker's load that waits, or whose worker is gone; None when there is none."""
    row = connection.execute(_BEGIN, {"broker": broker, "holder": holder, "lease": lease}).one_or_none()
    return None if row is None else Begun(row.id, broker, holder, row.accepts_smaller)


def lock(session: Session, begun: Begun) -> bool:
    """Lock a load until the transaction ends; whether it takes a smaller list by now. Raises LostRace, see `end`."""
    mine = select(InstrumentLoad.accepts_smaller).where(*_is_mine(begun)).with_for_update()
    accepts_smaller = session.scalars(mine).one_or_none()
    if accepts_smaller is None:
        raise _lost(begun)
    return accepts_smaller


def end(
    session: Session,
    begun: Begun,
    outcome: LoadOutcome,
    listed: int | None = None,
    skipped: int | None = None,
    reason: str | None = None,
) -> None:
    """End a load. Raises LostRace when another worker has taken or ended it."""
    said = {"outcome": outcome, "listed": listed, "skipped": skipped, "reason": reason}
    ended = update(InstrumentLoad).where(*_is_mine(begun)).values(**said, ended_at=func.clock_timestamp())
    if session.scalars(ended.returning(InstrumentLoad.id)).one_or_none() is None:
        raise _lost(begun)


def in_force(connection: Connection, broker: str) -> InForce | None:
    """The load whose list counts; None where none was ever loaded."""
    loaded = select(InstrumentLoad.id, InstrumentLoad.ended_at).where(*_is_loaded(broker))
    row = connection.execute(loaded.order_by(InstrumentLoad.id.desc()).limit(1)).one_or_none()
    return None if row is None or row.ended_at is None else InForce(row.id, row.ended_at)


def latest_loaded(session: Session, broker: str, count: int) -> Sequence[int]:
    """The ids of the last loads that brought a list, the one in force first."""
    loaded = select(InstrumentLoad.id).where(*_is_loaded(broker)).order_by(InstrumentLoad.id.desc())
    return session.scalars(loaded.limit(count)).all()


def listed(session: Session, limit: int) -> Sequence[InstrumentLoad]:
    """The latest loads of all brokers."""
    return session.scalars(select(InstrumentLoad).order_by(InstrumentLoad.id.desc()).limit(limit)).all()


def get(session: Session, load_id: int) -> InstrumentLoad | None:
    return session.get(InstrumentLoad, load_id, populate_existing=True)


def _is_loaded(broker: str) -> tuple[ColumnElement[bool], ...]:
    return InstrumentLoad.broker == broker, InstrumentLoad.outcome == LoadOutcome.LOADED


def _is_mine(begun: Begun) -> tuple[ColumnElement[bool], ...]:
    return InstrumentLoad.id == begun.id, InstrumentLoad.holder == begun.holder, InstrumentLoad.ended_at.is_(None)


def _lost(begun: Begun) -> LostRace:
    return LostRace(f"the load {begun.id} of {begun.broker} is another worker's by now", {"load_id": begun.id})


_ASK_DAILY = sql.load(
    __package__,
    "ask_for_daily_load",
    {
        "broker": String(),
        "asked_by": String(),
        "ready_after": Interval(),
        "time_zone": String(),
        "least_rest": Interval(),
        "most_rest": Interval(),
    },
)
_BEGIN = sql.load(__package__, "begin_load", {"broker": String(), "holder": String(), "lease": Interval()})
