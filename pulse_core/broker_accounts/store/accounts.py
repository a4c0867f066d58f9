"""Broker accounts as they stand, and how they are added."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from api_contract.errors import NotFound
from api_contract.order_rules import BROKER_ACCOUNT
from pulse_core.broker_accounts.tables import BrokerAccount, BrokerCredentials
from pulse_core.broker_accounts.vocabulary import BrokerAccountState

_VERSION = (
    select(func.max(BrokerCredentials.version))
    .where(BrokerCredentials.broker_account == BrokerAccount.name)
    .scalar_subquery()
)
_COMPARED_BEFORE: Any = literal_column(
    "CASE WHEN EXISTS (SELECT 1 FROM installation WHERE known_database IS NOT NULL) THEN now() END"
)
_MADE_AT = (
    select(func.max(BrokerCredentials.made_at))
    .where(BrokerCredentials.broker_account == BrokerAccount.name)
    .scalar_subquery()
)
# The broker accounts of one installation are few.
_ALL = select(
    BrokerAccount.name,
    BrokerAccount.broker,
    BrokerAccount.is_live,
    BrokerAccount.options,
    BrokerAccount.state,
    BrokerAccount.reason,
    BrokerAccount.state_since,
    _VERSION.label("credentials_version"),
    _MADE_AT.label("credentials_made_at"),
).order_by(BrokerAccount.name)


def every(connection: Connection) -> Sequence[Any]:
    """Every broker account by name, with the newest version of its credentials, None where there is none."""
    return connection.execute(_ALL).all()


def add(
    where: Connection | Session,
    name: str,
    broker: str,
    now: datetime,
    *,
    is_live: bool,
    made_by: str,
    state: BrokerAccountState = BrokerAccountState.AWAITING_TOKEN,
    options: dict[str, Any] | None = None,
    is_of_before: bool = False,
) -> bool:
    """Add an account; False when the name is taken.

    One that `is_of_before` is as old as the installation: its book was compared when the installation's was.
    """
    row = {
        "name": name,
        "broker": broker,
        "is_live": is_live,
        "options": options or {},
        "state": state,
        "state_since": now,
        "first_compared_at": _COMPARED_BEFORE if is_of_before else None,
        "made_by": made_by,
        "made_at": now,
    }
    added = insert(BrokerAccount).values(row).on_conflict_do_nothing().returning(BrokerAccount.name)
    return where.execute(added).one_or_none() is not None


def get(session: Session, name: str) -> BrokerAccount | None:
    # Not every text can be asked of Postgres: a NUL would fail there.
    return session.get(BrokerAccount, name, populate_existing=True) if BROKER_ACCOUNT.fullmatch(name) else None


def existing(session: Session, name: str) -> BrokerAccount:
    """Raises NotFound."""
    found = get(session, name)
    if found is None:
        raise NotFound("there is no such broker account")
    return found


def is_first_comparison(session: Session, name: str) -> bool:
    """Whether the book of this account was not compared with the database before."""
    rows = select(BrokerAccount.name).where(BrokerAccount.name == name, BrokerAccount.first_compared_at.is_(None))
    return session.scalar(rows) is not None


def note_comparison(session: Session, name: str, now: datetime) -> None:
    """The book of this account was compared with the database."""
    first = update(BrokerAccount).where(BrokerAccount.name == name, BrokerAccount.first_compared_at.is_(None))
    session.execute(first.values(first_compared_at=now).execution_options(synchronize_session=False))
