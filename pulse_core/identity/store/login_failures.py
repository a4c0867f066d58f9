"""Failed logins, counted for each username, each username in a network, and each address."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import case, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.identity.tables import LoginFailure
from pulse_core.postgres.bounded import chosen_once


def blocks(session: Session, subjects: Collection[str], now: datetime) -> dict[str, datetime]:
    """Those of these that are blocked, and until when."""
    rows = select(LoginFailure.subject, LoginFailure.blocked_until).where(
        LoginFailure.subject.in_(subjects), LoginFailure.blocked_until > now
    )
    return {row.subject: row.blocked_until for row in session.execute(rows)}


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
    rows = select(LoginFailure.subject).where(LoginFailure.last_failed_at < before).limit(100)
    old = chosen_once(rows.with_for_update(skip_locked=True))
    session.execute(delete(LoginFailure).where(LoginFailure.subject.in_(old)))
