"""Logins and the refresh tokens that keep them going."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.identity.tables import LoginSession, RefreshToken
from pulse_core.identity.vocabulary import SessionEnd
from pulse_core.postgres.bounded import chosen_once

_UNUSED = (RefreshToken.used_at.is_(None), RefreshToken.retired_at.is_(None))


def add(session: Session, session_id: str, account_id: str, now: datetime, expires_at: datetime) -> None:
    row = {"id": session_id, "account_id": account_id, "created_at": now, "expires_at": expires_at}
    session.execute(insert(LoginSession).values(row))


def add_token(session: Session, session_id: str, token_hash: str, now: datetime) -> None:
    session.execute(insert(RefreshToken).values(token_hash=token_hash, session_id=session_id, created_at=now))


def of_token(session: Session, token_hash: str) -> LoginSession | None:
    """The login that a refresh token belongs to, used or not; locked until the transaction ends."""
    rows = select(LoginSession).join(RefreshToken, RefreshToken.session_id == LoginSession.id)
    return session.scalar(rows.where(RefreshToken.token_hash == token_hash).with_for_update(of=LoginSession))


def end_of(session: Session, account_id: str, session_id: str) -> datetime | None:
    """When a login of the account ends that goes on; None when there is none."""
    live = select(LoginSession.expires_at).where(
        LoginSession.id == session_id, LoginSession.account_id == account_id, LoginSession.ended_at.is_(None)
    )
    return session.scalar(live)


def use_token(session: Session, token_hash: str, now: datetime) -> bool:
    """Use a refresh token up; False when it was used before, or retired."""
    fresh = update(RefreshToken).where(RefreshToken.token_hash == token_hash, *_UNUSED)
    return session.scalar(fresh.values(used_at=now).returning(RefreshToken.session_id)) is not None


def retire_successor(session: Session, session_id: str, token_hash: str, used_since: datetime, now: datetime) -> bool:
    """Retire the tokens of the login that nobody has used yet, if this one was used last of all, and lately.

    False when that is not so; then nothing is retired.
    """
    last_used = select(RefreshToken).where(RefreshToken.session_id == session_id, RefreshToken.used_at.is_not(None))
    last = session.scalar(last_used.order_by(RefreshToken.used_at.desc()).limit(1))
    if last is None or last.token_hash != token_hash or last.used_at is None or last.used_at <= used_since:
        return False
    unused = update(RefreshToken).where(RefreshToken.session_id == session_id, *_UNUSED)
    session.execute(unused.values(retired_at=now))
    return True


def end(session: Session, account_id: str, session_id: str, why: SessionEnd, now: datetime) -> bool:
    """End a login of the account; False when there is none that goes on."""
    live = update(LoginSession).where(
        LoginSession.id == session_id, LoginSession.account_id == account_id, LoginSession.ended_at.is_(None)
    )
    return session.scalar(live.values(ended_at=now, end=why).returning(LoginSession.id)) is not None


def end_all(session: Session, account_id: str, now: datetime) -> None:
    """End every login of the account."""
    live = update(LoginSession).where(LoginSession.account_id == account_id, LoginSession.ended_at.is_(None))
    session.execute(live.values(ended_at=now, end=SessionEnd.ACCOUNT))


def forget_expired(session: Session, before: datetime) -> None:
    """Remove logins that expired before this instant, with their tokens."""
    old = select(LoginSession.id).where(LoginSession.expires_at < before).limit(100).with_for_update(skip_locked=True)
    session.execute(delete(LoginSession).where(LoginSession.id.in_(chosen_once(old))))
