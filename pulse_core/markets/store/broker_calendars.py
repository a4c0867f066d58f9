"""Reads and writes what brokers told of the days ahead."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.markets.tables import BrokerCalendar

LONGEST_REASON = 300


@dataclass(frozen=True)
class Told:
    """What a broker said of the days from one to another; `days` are the open ones, as the table has them."""

    exchanges: Collection[str]
    first_day: date
    last_day: date
    days: Sequence[list[str]]
    clock_ahead: float


def take_turn(session: Session, broker: str, every: timedelta, rest: timedelta) -> bool:
    """Whether the broker is to be asked, and this caller is who asks: once in a while, sooner where it told nothing."""
    now = func.clock_timestamp()
    first = insert(BrokerCalendar).values(broker=broker, asked_at=now, exchanges=[], days=[], differences=[])
    has_rested = BrokerCalendar.asked_at < now - rest
    is_due = or_(
        BrokerCalendar.asked_at.is_(None),
        has_rested & or_(BrokerCalendar.told_at.is_(None), BrokerCalendar.told_at < now - every),
    )
    again = first.on_conflict_do_update(index_elements=["broker"], set_={"asked_at": now}, where=is_due)
    return session.scalar(again.returning(BrokerCalendar.broker)) is not None


def ask_anew(session: Session, broker: str) -> None:
    """Have the broker asked again soon: somebody has logged in."""
    session.execute(_of(broker).values(asked_at=None))


def keep(session: Session, broker: str, told: Told) -> None:
    """What the broker has told takes the place of what it told before."""
    values: dict[str, Any] = {
        "exchanges": sorted(told.exchanges),
        "first_day": told.first_day,
        "last_day": told.last_day,
        "days": list(told.days),
        "clock_ahead": told.clock_ahead,
        "reason": None,
    }
    session.execute(_of(broker).values(**values, told_at=func.clock_timestamp()))


def note_failure(session: Session, broker: str, reason: str) -> None:
    """It told nothing, and why."""
    session.execute(_of(broker).values(reason=reason[:LONGEST_REASON]))


def every_broker(session: Session) -> Sequence[str]:
    """Those that have told something."""
    return session.scalars(select(BrokerCalendar.broker).where(BrokerCalendar.told_at.is_not(None))).all()


def lock(session: Session, broker: str) -> BrokerCalendar:
    """What a broker has told, for whoever compares it."""
    row = select(BrokerCalendar).where(BrokerCalendar.broker == broker).with_for_update()
    return session.scalars(row, execution_options={"populate_existing": True}).one()


def note_differences(session: Session, broker: str, differences: Sequence[dict[str, Any]]) -> None:
    """What was found, and told of."""
    session.execute(_of(broker).values(differences=list(differences)))


def _of(broker: str) -> Any:
    row = update(BrokerCalendar).where(BrokerCalendar.broker == broker)
    return row.execution_options(synchronize_session=False)
