"""What gateways must refuse before it expires."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from api_contract.vocabulary import RevocationKind
from pulse_core.identity.tables import Revocation

_LOCK = 7_075_133


def add(session: Session, kind: RevocationKind, subject: str, now: datetime, generation: int | None = None) -> None:
    """Add a revocation. The last step of its transaction: others wait for its end."""
    # One at a time, so that ids are seen in their order and a reader that goes on from the last one misses none.
    session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    row = {"kind": kind, "subject": subject, "generation": generation, "revoked_at": now}
    session.execute(insert(Revocation), [row])


def after(session: Session, last_id: int, limit: int) -> Sequence[Revocation]:
    """Up to `limit` revocations, oldest first, those that came after the id."""
    return session.scalars(select(Revocation).where(Revocation.id > last_id).order_by(Revocation.id).limit(limit)).all()


def latest(session: Session) -> int:
    """The id of the last one, 0 when there is none."""
    return session.scalar(select(func.max(Revocation.id))) or 0


def forget(session: Session, before: datetime) -> None:
    """Remove those that no token is left for."""
    session.execute(delete(Revocation).where(Revocation.revoked_at < before))
