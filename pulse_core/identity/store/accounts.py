"""Who may log in."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from api_contract.scopes import Role
from pulse_core.identity.tables import Account


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


def get(session: Session, account_id: str) -> Account | None:
    return session.get(Account, account_id)


def lock(session: Session, account_id: str) -> Account | None:
    """The account, locked until the transaction ends."""
    return session.get(Account, account_id, with_for_update={"key_share": True}, populate_existing=True)


def usernames(session: Session, account_ids: Collection[str]) -> dict[str, str]:
    """The usernames of these accounts, by id."""
    rows = select(Account.id, Account.username).where(Account.id.in_(account_ids))
    return {row.id: row.username for row in session.execute(rows)}


def page(session: Session, limit: int, after: str | None) -> Sequence[Account]:
    """Up to `limit` accounts by name, those after the username `after`."""
    rows = select(Account).order_by(Account.username).limit(limit)
    return session.scalars(rows if after is None else rows.where(Account.username > after)).all()


def change(session: Session, account: Account, now: datetime, **changes: Any) -> None:
    """Change an account that is locked."""
    statement = update(Account).where(Account.id == account.id).values(**changes, updated_at=now)
    session.execute(statement.execution_options(synchronize_session="fetch"))
