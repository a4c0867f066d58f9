"""Who may log in."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.domain.enums import Role
from pulse_core.models import Account


def add(session: Session, account_id: str, username: str, password_hash: str, role: Role, now: datetime) -> bool:
    """Insert an account; False when the username is taken."""
    statement = insert(Account).values(
        id=account_id,
        username=username,
        password_hash=password_hash,
        role=role,
        is_active=True,
        generation=1,
        created_at=now,
        updated_at=now,
    )
    added = session.scalar(statement.on_conflict_do_nothing(index_elements=["username"]).returning(Account.id))
    return added is not None


def by_username(session: Session, username: str) -> Account | None:
    return session.scalar(select(Account).where(Account.username == username))


def all_of_them(session: Session) -> Sequence[Account]:
    """Every account, by name."""
    return session.scalars(select(Account).order_by(Account.username)).all()


def disable(session: Session, username: str, now: datetime) -> bool:
    """Bar an account from logging in; False when there is none of that name."""
    statement = update(Account).where(Account.username == username).values(is_active=False, updated_at=now)
    return session.scalar(statement.returning(Account.id)) is not None
