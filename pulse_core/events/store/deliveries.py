"""What was posted to a webhook, and what came of it; what is asked for waits here until it is posted."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from api_contract.vocabulary import DeliveryKind
from pulse_core.events.tables import WebhookDelivery


def ask(
    session: Session, row_id: str, webhook_id: str, kind: DeliveryKind, event_id: int | None, now: datetime
) -> WebhookDelivery:
    """Have something posted to a webhook as soon as somebody comes round to it."""
    asked = WebhookDelivery(
        id=row_id,
        webhook_id=webhook_id,
        kind=kind,
        first_event_id=event_id,
        last_event_id=event_id,
        asked_at=now,
    )
    session.add(asked)
    session.flush()
    return asked


def waiting(session: Session, webhook_id: str) -> WebhookDelivery | None:
    """What was asked for first of what is not posted yet."""
    rows = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.posted_at.is_(None))
    return session.scalar(rows.order_by(WebhookDelivery.id).limit(1))


def count_waiting(session: Session, webhook_id: str) -> int:
    rows = select(func.count()).where(WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.posted_at.is_(None))
    return session.scalar(rows) or 0


def add(session: Session, delivery: WebhookDelivery) -> None:
    session.add(delivery)
    session.flush()


def finish(
    session: Session, row_id: str, at: datetime, answer_status: int | None, error: str | None, duration_ms: int
) -> None:
    """Write down what came of something that was asked for."""
    rows = update(WebhookDelivery).where(WebhookDelivery.id == row_id)
    outcome = {"posted_at": at, "answer_status": answer_status, "error": error, "duration_ms": duration_ms}
    session.execute(rows.values(**outcome).execution_options(synchronize_session=False))


def forget(session: Session, webhook_id: str, keep: int) -> None:
    """Remove what was posted before the latest so many."""
    posted = (WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.posted_at.is_not(None))
    last_kept = select(WebhookDelivery.id).where(*posted).order_by(WebhookDelivery.id.desc()).offset(keep).limit(1)
    rows = delete(WebhookDelivery).where(*posted, WebhookDelivery.id <= last_kept.scalar_subquery())
    session.execute(rows.execution_options(synchronize_session=False))


def page(session: Session, webhook_id: str, limit: int, before: str | None) -> Sequence[WebhookDelivery]:
    """Up to `limit` deliveries, the latest first, those older than the delivery `before`."""
    rows = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    if before is not None:
        rows = rows.where(WebhookDelivery.id < before)
    return session.scalars(rows.order_by(WebhookDelivery.id.desc()).limit(limit)).all()
