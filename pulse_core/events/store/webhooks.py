"""Where accounts want their events posted, and how far that has come."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from api_contract.vocabulary import WebhookFeed
from pulse_core.events.tables import (
    AlarmEvent,
    EventFeed,
    SliceEvent,
    Webhook,
    WebhookDelivery,
    active_account,
    may_post,
)
from pulse_core.owner import Owner
from pulse_core.postgres.owned import owned_by


def add(session: Session, webhook: Webhook) -> None:
    session.add(webhook)
    session.flush()


def lock_account(session: Session, account_id: str) -> bool:
    """Let nobody else add to an account until the transaction ends; False unless it is there and active."""
    return session.scalar(active_account(account_id).with_for_update(key_share=True)) is not None


def count(session: Session, account_id: str) -> int:
    return session.scalar(select(func.count()).where(Webhook.account_id == account_id)) or 0


def every_id(session: Session) -> Sequence[str]:
    """Of all accounts."""
    return session.scalars(select(Webhook.id).order_by(Webhook.id)).all()


def keep_secrets(session: Session, webhook_id: str, **sealed: str) -> None:
    """The same secrets, sealed otherwise."""
    statement = update(Webhook).where(Webhook.id == webhook_id).values(**sealed)
    session.execute(statement.execution_options(synchronize_session=False))


def of_account(session: Session, account_id: str) -> Sequence[tuple[Webhook, bool]]:
    """An account's webhooks, the oldest first, each with whether its right to events stands."""
    rows = select(Webhook, may_post()).where(Webhook.account_id == account_id).order_by(Webhook.id)
    return [(row[0], row[1]) for row in session.execute(rows)]


def page(session: Session, owner: Owner, limit: int, before: str | None) -> Sequence[tuple[Webhook, bool]]:
    """Up to `limit` webhooks of the owner, the newest first, those older than the webhook `before`; as above."""
    rows = select(Webhook, may_post()).where(owned_by(Webhook.account_id, owner))
    if before is not None:
        rows = rows.where(Webhook.id < before)
    return [(row[0], row[1]) for row in session.execute(rows.order_by(Webhook.id.desc()).limit(limit))]


def get(session: Session, owner: Owner, webhook_id: str) -> tuple[Webhook, bool] | None:
    """One webhook of the owner, with whether its right to events stands."""
    rows = select(Webhook, may_post()).where(Webhook.id == webhook_id, owned_by(Webhook.account_id, owner))
    row = session.execute(rows.execution_options(populate_existing=True)).first()
    return None if row is None else (row[0], row[1])


def lock(session: Session, owner: Owner, webhook_id: str) -> Webhook | None:
    """A webhook of the owner, locked until the transaction ends."""
    rows = select(Webhook).where(Webhook.id == webhook_id, owned_by(Webhook.account_id, owner))
    return session.scalar(rows.with_for_update(key_share=True).execution_options(populate_existing=True))


def due(session: Session, now: datetime, limit: int, *, is_doubtful: bool) -> Sequence[Webhook]:
    """Webhooks that something is to be posted to now, the longest waiting first.

    Doubtful are those that took nothing yet, and those that did not take the last delivery.
    """
    doubt = or_(Webhook.verified_at.is_(None), Webhook.failures > 0)
    is_numbered = exists().where(
        EventFeed.account_id == Webhook.account_id, EventFeed.last_sequence > Webhook.delivered_sequence
    )
    is_new = exists().where(SliceEvent.account_id == Webhook.account_id, SliceEvent.sequence.is_(None))
    has_alarms = exists().where(or_(AlarmEvent.sequence > Webhook.delivered_sequence, AlarmEvent.sequence.is_(None)))
    has_news = or_(
        and_(Webhook.feed == WebhookFeed.ORDERS, or_(is_numbered, is_new)),
        and_(Webhook.feed == WebhookFeed.ALARMS, has_alarms),
    )
    is_asked = exists().where(WebhookDelivery.webhook_id == Webhook.id, WebhookDelivery.posted_at.is_(None))
    has_work = or_(Webhook.verified_at.is_(None), has_news)
    rows = select(Webhook).where(
        Webhook.disabled_at.is_(None),
        or_(Webhook.leased_until.is_(None), Webhook.leased_until <= now),
        or_(and_(Webhook.next_attempt_at <= now, has_work), is_asked),
        doubt if is_doubtful else ~doubt,
        may_post(),
    )
    return session.scalars(rows.order_by(Webhook.next_attempt_at).limit(limit)).all()


def claim(session: Session, seen: Webhook, until: datetime) -> Webhook | None:
    """Take a webhook for one deliverer until then; None when another one was faster, or its right has ended."""
    rows = update(Webhook).where(
        Webhook.id == seen.id,
        Webhook.disabled_at.is_(None),
        Webhook.next_attempt_at == seen.next_attempt_at,
        Webhook.delivered_sequence == seen.delivered_sequence,
        Webhook.leased_until.is_not_distinct_from(seen.leased_until),
        may_post(),
    )
    claimed = rows.values(leased_until=until).returning(Webhook)
    return session.scalar(claimed.execution_options(synchronize_session=False, populate_existing=True))


def is_held(session: Session, webhook_id: str, leased_until: datetime) -> bool:
    """Whether whoever took the webhook until then has it still, and its right stands."""
    held = select(Webhook.id).where(
        Webhook.id == webhook_id, Webhook.leased_until == leased_until, Webhook.disabled_at.is_(None), may_post()
    )
    return session.scalar(held) is not None


def settle(session: Session, held: Webhook, **changes: Any) -> Webhook | None:
    """Set columns after a delivery by whoever has taken the webhook; None when it is not theirs any more."""
    rows = update(Webhook).where(
        Webhook.id == held.id,
        Webhook.delivered_sequence == held.delivered_sequence,
        Webhook.leased_until == held.leased_until,
    )
    settled = rows.values(**changes).returning(Webhook)
    return session.scalar(settled.execution_options(synchronize_session=False, populate_existing=True))


def release(session: Session, webhook_id: str, leased_until: datetime) -> None:
    """Let others take it."""
    rows = update(Webhook).where(Webhook.id == webhook_id, Webhook.leased_until == leased_until)
    session.execute(rows.values(leased_until=None).execution_options(synchronize_session=False))


def change(session: Session, webhook: Webhook, **changes: Any) -> None:
    """Set columns of a webhook that is locked."""
    rows = update(Webhook).where(Webhook.id == webhook.id)
    session.execute(rows.values(**changes).execution_options(synchronize_session=False))


def remove(session: Session, webhook: Webhook) -> None:
    """Remove a webhook that is locked, and what is written about its deliveries."""
    session.execute(delete(Webhook).where(Webhook.id == webhook.id).execution_options(synchronize_session=False))
