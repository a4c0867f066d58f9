"""Where accounts want their events posted, and how far that has come."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from api_contract.scopes import READS_EVERY_ACCOUNT
from api_contract.vocabulary import WebhookFeed
from pulse_core.events.tables import AlarmEvent, EventFeed, SliceEvent, Webhook, is_held_by


def add(session: Session, webhook: Webhook) -> None:
    session.add(webhook)
    session.flush()


def of_account(session: Session, account_id: str) -> Sequence[Webhook]:
    """An account's webhooks, the oldest first."""
    return session.scalars(select(Webhook).where(Webhook.account_id == account_id).order_by(Webhook.id)).all()


def due(session: Session, now: datetime, limit: int) -> Sequence[Webhook]:
    """Live webhooks with new events whose next attempt is due, the longest waiting first.

    Alarms are posted for as long as the account may see them.
    """
    is_numbered = exists().where(
        EventFeed.account_id == Webhook.account_id, EventFeed.last_sequence > Webhook.delivered_sequence
    )
    is_new = exists().where(SliceEvent.account_id == Webhook.account_id, SliceEvent.sequence.is_(None))
    has_alarms = exists().where(or_(AlarmEvent.sequence > Webhook.delivered_sequence, AlarmEvent.sequence.is_(None)))
    has_news = or_(
        and_(Webhook.feed == WebhookFeed.ORDERS, or_(is_numbered, is_new)),
        and_(Webhook.feed == WebhookFeed.ALARMS, has_alarms, is_held_by(READS_EVERY_ACCOUNT)),
    )
    rows = select(Webhook).where(Webhook.disabled_at.is_(None), Webhook.next_attempt_at <= now, has_news)
    return session.scalars(rows.order_by(Webhook.next_attempt_at).limit(limit)).all()


def claim(session: Session, seen: Webhook, until: datetime) -> bool:
    """Take a webhook for one deliverer until then; False when another one was faster."""
    rows = update(Webhook).where(
        Webhook.id == seen.id,
        Webhook.disabled_at.is_(None),
        Webhook.next_attempt_at == seen.next_attempt_at,
        Webhook.delivered_sequence == seen.delivered_sequence,
    )
    claimed = rows.values(next_attempt_at=until).returning(Webhook.id)
    return session.scalar(claimed.execution_options(synchronize_session=False)) is not None


def settle(session: Session, seen: Webhook, **changes: Any) -> None:
    """Set columns after a delivery, unless another one has come further."""
    rows = update(Webhook).where(Webhook.id == seen.id, Webhook.delivered_sequence == seen.delivered_sequence)
    session.execute(rows.values(**changes).execution_options(synchronize_session=False))


def change(session: Session, account_id: str, webhook_id: str, **changes: Any) -> Webhook | None:
    """Set columns; None when the account has no such webhook."""
    return session.scalar(
        update(Webhook)
        .where(Webhook.id == webhook_id, Webhook.account_id == account_id)
        .values(**changes)
        .returning(Webhook)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def remove(session: Session, account_id: str, webhook_id: str) -> bool:
    rows = delete(Webhook).where(Webhook.id == webhook_id, Webhook.account_id == account_id).returning(Webhook.id)
    return session.scalar(rows.execution_options(synchronize_session=False)) is not None
