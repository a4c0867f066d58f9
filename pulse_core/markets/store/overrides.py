"""Reads and writes the table of overrides. A row is never changed but to note who revoked it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.orm import Session

from pulse_core.markets.tables import MarketOverride

# Of days that are long over, overrides are of no use to any order.
MOST_IN_FORCE = 1000


@dataclass(frozen=True)
class InForce:
    """An override that was not revoked, as it was stated."""

    exchange: str
    day: date
    reason: str
    phases: list[dict[str, Any]]
    cut_offs: dict[str, str]


def lock_day(session: Session, exchange: str, day: date) -> None:
    """Let those who state the same day come one after the other."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"market {exchange} {day}", 0))))


def add(session: Session, override: MarketOverride) -> None:
    """Put it in force. There must be no other for its day."""
    session.add(override)
    session.flush()


def revoke(session: Session, exchange: str, day: date, actor: str, now: datetime) -> bool:
    """End what is in force for a day; whether there was anything."""
    ended = session.scalars(
        update(MarketOverride)
        .where(MarketOverride.exchange == exchange, MarketOverride.day == day, MarketOverride.revoked_at.is_(None))
        .values(revoked_by=actor, revoked_at=now)
        .returning(MarketOverride.id)
        .execution_options(synchronize_session=False)
    )
    return ended.first() is not None


def in_force(connection: Connection) -> Sequence[InForce]:
    """What holds in place of the calendars, of the latest days."""
    latest = select(
        MarketOverride.exchange, MarketOverride.day, MarketOverride.reason, MarketOverride.phases,
        MarketOverride.cut_offs,
    ).where(MarketOverride.revoked_at.is_(None))  # fmt: skip
    rows = connection.execute(latest.order_by(MarketOverride.day.desc()).limit(MOST_IN_FORCE))
    return [InForce(*row) for row in rows]


def listed(session: Session, exchange: str | None, limit: int) -> Sequence[MarketOverride]:
    """The latest, those that were revoked too."""
    rows = select(MarketOverride).order_by(MarketOverride.id.desc()).limit(limit)
    return session.scalars(rows if exchange is None else rows.where(MarketOverride.exchange == exchange)).all()
