"""API keys. None of them is ever removed, so that the audit keeps its subject."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from pulse_core.identity.tables import Account, ApiKey
from pulse_core.owner import Owner
from pulse_core.postgres.owned import owned_by


def add(session: Session, key: ApiKey) -> None:
    session.add(key)
    session.flush()


def with_account(session: Session, key_id: str) -> tuple[ApiKey, Account] | None:
    """A key and whose it is."""
    row = session.execute(
        select(ApiKey, Account).join(Account, Account.id == ApiKey.account_id).where(ApiKey.id == key_id)
    ).first()
    return None if row is None else (row[0], row[1])


def count_live(session: Session, account_id: str, now: datetime) -> int:
    live = select(func.count()).where(
        ApiKey.account_id == account_id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now
    )
    return session.scalar(live) or 0


def page(session: Session, owner: Owner, limit: int, before: str | None) -> Sequence[ApiKey]:
    """Up to `limit` keys of the owner, the newest first, those older than the key `before`."""
    rows = select(ApiKey).where(owned_by(ApiKey.account_id, owner)).order_by(ApiKey.id.desc()).limit(limit)
    return session.scalars(rows if before is None else rows.where(ApiKey.id < before)).all()


def revoke(session: Session, owner: Owner, key_id: str, now: datetime) -> ApiKey | None:
    """Revoke a key of the owner; a key that is revoked stays so. None: the owner has no such key."""
    rows = update(ApiKey).where(ApiKey.id == key_id, owned_by(ApiKey.account_id, owner))
    return session.scalar(rows.values(revoked_at=func.coalesce(ApiKey.revoked_at, now)).returning(ApiKey))


def revoke_all(session: Session, account_id: str, now: datetime) -> Sequence[str]:
    """Revoke every key of the account that works; returns which they were."""
    live = update(ApiKey).where(ApiKey.account_id == account_id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now)
    return session.scalars(live.values(revoked_at=now).returning(ApiKey.id)).all()


def note_use(session: Session, key_id: str, now: datetime, unless_since: datetime) -> None:
    """Write down that a key is in use, unless that was written since the given instant."""
    is_old = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < unless_since)
    session.execute(update(ApiKey).where(ApiKey.id == key_id, is_old).values(last_used_at=now))
