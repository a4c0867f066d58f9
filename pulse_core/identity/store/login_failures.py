"""Failed logins, counted for each username and each address."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.identity.tables import LoginFailure


def blocked_until(session: Session, subjects: Collection[str]) -> datetime | None:
    """Until when the longest block of these lasts, None when there never was one."""
    rows = select(func.max(LoginFailure.blocked_until)).where(LoginFailure.subject.in_(subjects))
    return session.scalar(rows)


def add(session: Session, subject: str, now: datetime, forgotten_before: datetime) -> int:
    """Count one more failure; the number since the last success, or since a rest that made the old ones forgotten."""
    fresh = insert(LoginFailure).values(subject=subject, failures=1, last_failed_at=now, blocked_until=now)
    is_forgotten = LoginFailure.last_failed_at < forgotten_before
    counted = fresh.on_conflict_do_update(
        index_elements=["subject"],
        set_={"failures": case((is_forgotten, 1), else_=LoginFailure.failures + 1), "last_failed_at": now},
    )
    return session.scalars(counted.returning(LoginFailure.failures)).one()


def block(session: Session, subject: str, until: datetime) -> None:
    session.execute(update(LoginFailure).where(LoginFailure.subject == subject).values(blocked_until=until))


def clear(session: Session, subject: str) -> None:
    session.execute(delete(LoginFailure).where(LoginFailure.subject == subject))


def forget(session: Session, before: datetime) -> None:
    """Remove counts that nobody added to since this instant."""
    old = select(LoginFailure.subject).where(LoginFailure.last_failed_at < before).limit(100)
    session.execute(delete(LoginFailure).where(LoginFailure.subject.in_(old.with_for_update(skip_locked=True))))
