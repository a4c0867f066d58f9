"""The secrets and recovery codes of second factors. The caller has locked the account."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.identity.tables import SecondFactor


def get(session: Session, account_id: str) -> SecondFactor | None:
    return session.get(SecondFactor, account_id)


def lock(session: Session, account_id: str) -> SecondFactor | None:
    """The row, locked until the transaction ends."""
    return session.get(SecondFactor, account_id, with_for_update=True, populate_existing=True)


def every_account(session: Session) -> Sequence[str]:
    """The accounts that have a secret, or were offered one."""
    has_one = or_(SecondFactor.secret.is_not(None), SecondFactor.new_secret.is_not(None))
    return session.scalars(select(SecondFactor.account_id).where(has_one)).all()


def keep_secrets(session: Session, account_id: str, **sealed: str) -> None:
    """The same secrets, sealed otherwise."""
    _set(session, account_id, **sealed)


def offer(session: Session, account_id: str, sealed_secret: str, now: datetime) -> None:
    """Keep a secret that is not in use until it is confirmed, in place of one that was not; that in use stays."""
    row = {"new_secret": sealed_secret, "offered_at": now}
    fresh = insert(SecondFactor).values(account_id=account_id, recovery_hashes=[], **row)
    session.execute(fresh.on_conflict_do_update(index_elements=["account_id"], set_=row))


def turn_on(session: Session, factor: SecondFactor, used_step: int, recovery_hashes: Sequence[str]) -> None:
    """Use the secret that was offered from now on."""
    _set(
        session,
        factor.account_id,
        secret=factor.new_secret,
        used_step=used_step,
        recovery_hashes=list(recovery_hashes),
        new_secret=None,
        offered_at=None,
    )


def use_step(session: Session, account_id: str, step: int) -> None:
    """No code of this period or one before is taken any more."""
    _set(session, account_id, used_step=step)


def keep_recovery_codes(session: Session, account_id: str, hashes: Sequence[str]) -> None:
    _set(session, account_id, recovery_hashes=list(hashes))


def turn_off(session: Session, account_id: str) -> None:
    """Forget the secrets and the recovery codes."""
    _set(session, account_id, secret=None, used_step=None, recovery_hashes=[], new_secret=None, offered_at=None)


def _set(session: Session, account_id: str, **changes: Any) -> None:
    statement = update(SecondFactor).where(SecondFactor.account_id == account_id).values(**changes)
    session.execute(statement.execution_options(synchronize_session=False))
