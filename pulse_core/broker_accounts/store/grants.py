"""Who may trade with which broker account."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.broker_accounts.tables import BrokerGrant


def is_granted(session: Session, account_id: str, broker_account: str) -> bool:
    """Whether a grant is in force."""
    return bool(session.scalar(select(exists().where(_in_force(account_id, broker_account)))))


def granted_to(session: Session, account_id: str) -> set[str]:
    """The broker accounts that this account has grants for."""
    rows = select(BrokerGrant.broker_account).where(
        BrokerGrant.account_id == account_id, BrokerGrant.revoked_at.is_(None)
    )
    return set(session.scalars(rows))


def of_broker_account(session: Session, broker_account: str) -> Sequence[BrokerGrant]:
    """The grants in force for a broker account, the oldest first."""
    rows = select(BrokerGrant).where(BrokerGrant.broker_account == broker_account, BrokerGrant.revoked_at.is_(None))
    return session.scalars(rows.order_by(BrokerGrant.id)).all()


def add(session: Session, account_id: str, broker_account: str, actor: str, now: datetime) -> bool:
    """Grant it; False when a grant is in force already."""
    row = {"account_id": account_id, "broker_account": broker_account, "granted_by": actor, "granted_at": now}
    added = (
        insert(BrokerGrant)
        .values(row)
        .on_conflict_do_nothing(
            index_elements=["account_id", "broker_account"], index_where=BrokerGrant.revoked_at.is_(None)
        )
        .returning(BrokerGrant.id)
    )
    return session.execute(added).one_or_none() is not None


def revoke(session: Session, account_id: str, broker_account: str, actor: str, now: datetime) -> bool:
    """End the grant in force; False when there is none."""
    ended = update(BrokerGrant).where(_in_force(account_id, broker_account))
    ended = ended.values(revoked_by=actor, revoked_at=now).returning(BrokerGrant.id)
    return session.execute(ended.execution_options(synchronize_session=False)).one_or_none() is not None


def _in_force(account_id: str, broker_account: str) -> ColumnElement[bool]:
    return and_(
        BrokerGrant.account_id == account_id,
        BrokerGrant.broker_account == broker_account,
        BrokerGrant.revoked_at.is_(None),
    )
