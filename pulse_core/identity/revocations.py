"""Tokens and keys that end before their time. Postgres knows them, gateways ask for what is new."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.vocabulary import RevocationKind
from pulse_core import db
from pulse_core.copies import copy_of
from pulse_core.identity.store import accounts, api_keys, audit, revocations, sessions
from pulse_core.identity.tables import Account

# No gateway gives out access tokens that live longer.
LONGEST_TOKEN_LIFE = timedelta(hours=24)


@dataclass(frozen=True)
class RevocationReport:
    """What gateways must refuse; `generation` says for an account which of its tokens have ended: all older ones."""

    id: int
    kind: RevocationKind
    subject: str
    generation: int | None
    revoked_at: datetime


@dataclass(frozen=True)
class Revocations:
    """Revocations in their order, and the id of the very last one: more than these when a page was too short."""

    revocations: Sequence[RevocationReport]
    latest: int


def news(after: int, limit: int) -> Revocations:
    """Up to `limit` revocations that came after the id."""
    with db.transaction() as session:
        latest = revocations.latest(session)
        found = revocations.after(session, after, limit)
        return Revocations([copy_of(one, RevocationReport) for one in found], latest)


def revoke_token(jti: str, actor: str, now: datetime) -> None:
    """Revoke one access token."""
    with db.transaction() as session:
        audit.add(session, "token.revoked", actor, jti, now)
        record(session, RevocationKind.TOKEN, jti, now)


def revoke_all_of(account_id: str, actor: str, now: datetime, revoke_keys: bool = False) -> bool:
    """Revoke every access token and every login of an account, with its API keys if asked.

    False when there is no such account.
    """
    with db.transaction() as session:
        account = accounts.lock(session, account_id)
        if account is None:
            return False
        audit.add(session, "account.logged_out", actor, account_id, now)
        end_everything(session, account, now, actor if revoke_keys else None)
    return True


def end_everything(session: Session, account: Account, now: datetime, revoker: str | None = None) -> int:
    """End all logins of a locked account and every token made so far; the last step of its transaction.

    With somebody who revokes them its API keys end too; returns how many.
    """
    keys = () if revoker is None else _end_keys(session, account, revoker, now)
    generation = account.generation + 1
    accounts.change(session, account, now, generation=generation)
    sessions.end_all(session, account.id, now)
    record(session, RevocationKind.ACCOUNT, account.id, now, generation)
    for key_id in keys:
        revocations.add(session, RevocationKind.KEY, key_id, now)
    return len(keys)


def _end_keys(session: Session, account: Account, revoker: str, now: datetime) -> Sequence[str]:
    keys = api_keys.revoke_all(session, account.id, now)
    for key_id in keys:
        audit.add(session, "key.revoked", revoker, key_id, now, account_id=account.id)
    return keys


def record(session: Session, kind: RevocationKind, subject: str, now: datetime, generation: int | None = None) -> None:
    """Tell the gateways; the last step of its transaction."""
    revocations.forget(session, now - LONGEST_TOKEN_LIFE)
    revocations.add(session, kind, subject, now, generation)
