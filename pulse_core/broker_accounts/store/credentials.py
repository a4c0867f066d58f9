"""Reads and writes the versions of broker accounts' credentials.

A version never changes, but for the key that it is sealed with and for having been warned of. The newest counts.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, true, update
from sqlalchemy.orm import Session, aliased

from pulse_core.broker_accounts.tables import BrokerAccount, BrokerCredentials
from pulse_core.broker_accounts.vocabulary import BrokerAccountState


@dataclass(frozen=True)
class Standing:
    """How a broker account stands, and what is known of its newest credentials without opening them."""

    name: str
    broker: str
    is_live: bool
    state: BrokerAccountState
    reason: str | None
    state_since: datetime
    version: int | None
    is_logged_in: bool
    broker_user: str | None
    valid_until: datetime | None


def newest(session: Session, account: str) -> BrokerCredentials | None:
    """The credentials of a broker account that count."""
    rows = select(BrokerCredentials).where(BrokerCredentials.broker_account == account)
    return session.scalar(rows.order_by(BrokerCredentials.version.desc()).limit(1))


def standings(session: Session, name: str | None = None) -> Sequence[Standing]:
    """How broker accounts stand, by name; of one alone if it is named."""
    rows = select(
        _account.name, _account.broker, _account.is_live, _account.state, _account.reason, _account.state_since,
        _newest.c.version, func.coalesce(_newest.c.token_sealed.is_not(None), False),
        _newest.c.broker_user, _newest.c.valid_until,
    ).outerjoin(_newest, true())  # fmt: skip
    if name is not None:
        rows = rows.where(_account.name == name)
    return [Standing(*row) for row in session.execute(rows.order_by(_account.name))]


def lock_account(session: Session, account: str) -> BrokerAccount | None:
    """The row of a broker account, for whoever changes it or its credentials."""
    return session.scalar(select(BrokerAccount).where(BrokerAccount.name == account).with_for_update())


def add(session: Session, row: BrokerCredentials) -> None:
    """A new version, which counts from the commit on. The account must be locked."""
    session.add(row)
    session.flush()


def to_warn_of(session: Session, ahead: timedelta) -> Sequence[BrokerCredentials]:
    """Mark and return the newest credentials whose token ends within `ahead`; each is returned once."""
    ends = (
        update(BrokerCredentials)
        .where(_is_newest(), BrokerCredentials.warned_at.is_(None), BrokerCredentials.valid_until <= _in(ahead))
        .values(warned_at=func.clock_timestamp())
        .returning(BrokerCredentials)
        .execution_options(synchronize_session=False)
    )
    return session.scalars(ends).all()


def ended(session: Session) -> Sequence[BrokerCredentials]:
    """The newest credentials of READY accounts whose token has ended by Postgres's clock, the accounts locked."""
    rows = (
        select(BrokerCredentials)
        .join(BrokerAccount, BrokerAccount.name == BrokerCredentials.broker_account)
        .where(BrokerAccount.state == BrokerAccountState.READY)
        .where(_is_newest(), BrokerCredentials.valid_until <= func.clock_timestamp())
    )
    return session.scalars(rows.with_for_update(of=BrokerAccount, skip_locked=True)).all()


def sealed_with(session: Session, key_ids: Collection[str], limit: int) -> Sequence[BrokerCredentials]:
    """Up to `limit` versions that are sealed with one of these keys, locked."""
    rows = select(BrokerCredentials).where(BrokerCredentials.key_id.in_(key_ids)).limit(limit)
    return session.scalars(rows.with_for_update()).all()


def reseal(session: Session, row: BrokerCredentials, secret_sealed: str, token_sealed: str | None, key_id: str) -> None:
    """The same secrets of a locked version under another key."""
    values = {"secret_sealed": secret_sealed, "token_sealed": token_sealed, "key_id": key_id}
    of_row = (
        BrokerCredentials.broker_account == row.broker_account,
        BrokerCredentials.version == row.version,
    )
    session.execute(
        update(BrokerCredentials).where(*of_row).values(values).execution_options(synchronize_session=False)
    )


def count_by_key(session: Session) -> Mapping[str, int]:
    """How many versions are sealed with each key."""
    rows = session.execute(
        select(BrokerCredentials.key_id, func.count().label("held")).group_by(BrokerCredentials.key_id)
    )
    return {row.key_id: row.held for row in rows}


def _is_newest() -> ColumnElement[bool]:
    later = aliased(BrokerCredentials)
    of_same = later.broker_account == BrokerCredentials.broker_account
    return ~select(later.version).where(of_same, later.version > BrokerCredentials.version).exists()


def _in(ahead: timedelta) -> ColumnElement[datetime]:
    return func.clock_timestamp() + ahead


_account = aliased(BrokerAccount)
_newest = (
    select(BrokerCredentials)
    .where(BrokerCredentials.broker_account == _account.name)
    .order_by(BrokerCredentials.version.desc())
    .limit(1)
    .lateral("newest")
)
