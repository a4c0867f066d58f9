"""Keys of requests: who works on each, and what was answered."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Boolean, ColumnElement, Interval, String, delete, func, select, tuple_, update
from sqlalchemy.orm import Session

from pulse_core.idempotency.tables import IdempotencyKey
from pulse_core.postgres import sql
from pulse_core.postgres.bounded import chosen_once


@dataclass(frozen=True)
class Asked:
    """A call with a key: whose, for which request, and by which call (`holder`)."""

    account_id: str
    key: str
    request_hash: str
    holder: str


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    location: str | None


@dataclass(frozen=True)
class Known:
    """What a key is known for. `is_under_way`: its call may still be answered; `answer` None: it has not been."""

    request_hash: str
    is_under_way: bool
    answer: Answer | None


def take(session: Session, asked: Asked, lease: timedelta, kept: timedelta, *, is_done_again: bool) -> bool:
    """Take the key for this call; False when it is known already."""
    stated = {"account_id": asked.account_id, "key": asked.key, "request_hash": asked.request_hash}
    bounds = {"holder": asked.holder, "lease": lease, "kept": kept, "is_done_again": is_done_again}
    return session.execute(_TAKE, stated | bounds).one_or_none() is not None


def known(session: Session, asked: Asked) -> Known | None:
    """What stands under the key of this call; None when it was forgotten by now."""
    is_under_way = IdempotencyKey.held_until > func.clock_timestamp()
    rows = select(IdempotencyKey, is_under_way).where(
        IdempotencyKey.account_id == asked.account_id, IdempotencyKey.key == asked.key
    )
    found = session.execute(rows).one_or_none()
    if found is None:
        return None
    row, may_be_answered = found
    answer = None if row.http_status is None else Answer(row.http_status, row.body or "", row.location)
    return Known(row.request_hash, may_be_answered, answer)


def remember(session: Session, asked: Asked, answer: Answer) -> None:
    """Keep the answer, unless another call has taken the key by now."""
    mine = _of_call(asked)
    kept = update(IdempotencyKey).where(*mine)
    session.execute(kept.values(http_status=answer.status, body=answer.body, location=answer.location))


def release(session: Session, asked: Asked) -> None:
    """Forget the key, unless another call has taken it by now."""
    session.execute(delete(IdempotencyKey).where(*_of_call(asked)))


def forget(session: Session, before: datetime, limit: int) -> int:
    """Remove up to `limit` keys that were taken before this instant; returns how many."""
    primary = (IdempotencyKey.account_id, IdempotencyKey.key)
    old = select(*primary).where(IdempotencyKey.created_at < before).limit(limit).with_for_update(skip_locked=True)
    gone = delete(IdempotencyKey).where(tuple_(*primary).in_(chosen_once(old))).returning(IdempotencyKey.key)
    return len(session.execute(gone.execution_options(synchronize_session=False)).all())


def _of_call(asked: Asked) -> tuple[ColumnElement[bool], ...]:
    return (
        IdempotencyKey.account_id == asked.account_id,
        IdempotencyKey.key == asked.key,
        IdempotencyKey.holder == asked.holder,
        IdempotencyKey.http_status.is_(None),
    )


_TAKE = sql.load(
    __package__,
    "take",
    {
        **dict.fromkeys(("account_id", "key", "request_hash", "holder"), String()),
        **dict.fromkeys(("lease", "kept"), Interval()),
        "is_done_again": Boolean(),
    },
)
