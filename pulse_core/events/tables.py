"""The tables of events: what happened, how far it is numbered, and where it is posted."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Select,
    String,
    and_,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api_contract.alarms import AlarmEventKind
from api_contract.scopes import READS_EVERY_ACCOUNT
from api_contract.vocabulary import DeliveryKind, WebhookFeed
from pulse_core.events.names import EventKind
from pulse_core.identity.tables import Account, ApiKey
from pulse_core.postgres.table_base import Base, words


class SliceEvent(Base):
    """Append-only: every move of a slice or its order (`slice_id` empty), every broker call, fill and alarm.

    `sequence` numbers the events of an account; it is given when the account's feed is read.
    """

    __tablename__ = "slice_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    account_id: Mapped[str | None] = mapped_column(String(30))
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    # Whoever writes an event has just read both: foreign keys would look them up again, and lock them, for each row.
    order_id: Mapped[str] = mapped_column(String(30))
    slice_id: Mapped[str | None] = mapped_column(String(29))
    at: Mapped[datetime]
    kind: Mapped[EventKind] = mapped_column(words(EventKind, "kind"))
    from_status: Mapped[str | None] = mapped_column(String(20))
    to_status: Mapped[str | None] = mapped_column(String(20))
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (
        Index("ix_slice_events_order_id_id", "order_id", "id"),
        Index("ix_slice_events_of_slice", "slice_id", "id", postgresql_where="kind IN ('ALARM', 'BROKER_CALL')"),
        Index(
            "ix_slice_events_sequence", "account_id", "sequence", unique=True, postgresql_where="sequence IS NOT NULL"
        ),
        Index("ix_slice_events_unnumbered", "account_id", "id", postgresql_where="sequence IS NULL"),
    )


class AlarmEvent(Base):
    """Append-only: what happened to an alarm, and who did it. `sequence` is given when the operators' feed is read.

    What the alarm is about stands here too: it never changes, and readers of the feed need no other table.
    """

    __tablename__ = "alarm_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    alarm_id: Mapped[str] = mapped_column(ForeignKey("alarms.id"), index=True)
    code: Mapped[str] = mapped_column(String(20))
    account_id: Mapped[str | None] = mapped_column(String(30))
    order_id: Mapped[str | None] = mapped_column(String(30))
    slice_id: Mapped[str | None] = mapped_column(String(29))
    at: Mapped[datetime]
    kind: Mapped[AlarmEventKind] = mapped_column(words(AlarmEventKind, "kind"))
    actor: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (
        Index("ix_alarm_events_sequence", "sequence", unique=True, postgresql_where="sequence IS NOT NULL"),
        Index("ix_alarm_events_unnumbered", "id", postgresql_where="sequence IS NULL"),
    )


class MergedEvent(Base):
    """An event of any account, numbered when the feed of all accounts is read.

    No foreign key: one would write to the row of each event. Those in the archive leave theirs here for a while.
    """

    __tablename__ = "merged_events"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(BigInteger)


class EventFeed(Base):
    """How far the events of an account are numbered, and merged with those of others.

    Its lock makes the numbers gap-free.
    """

    __tablename__ = "event_feeds"

    account_id: Mapped[str] = mapped_column(ForeignKey(Account.id), primary_key=True)
    last_sequence: Mapped[int] = mapped_column(BigInteger)
    merged_sequence: Mapped[int] = mapped_column(BigInteger, server_default="0")

    __table_args__ = (
        CheckConstraint("last_sequence >= 0", name="last_sequence"),
        CheckConstraint("merged_sequence BETWEEN 0 AND last_sequence", name="merged_sequence"),
    )


class Webhook(Base):
    """Where an account's events, or those of alarms, are posted. `delivered_sequence`: the last one taken there.

    `key_id`: the API key it was made with; `leased_until`: a deliverer is at it. The secrets are sealed; one without a
    secret of its own has a derived one.
    """

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey(Account.id), index=True)
    key_id: Mapped[str | None] = mapped_column(ForeignKey(ApiKey.id), index=True)
    feed: Mapped[WebhookFeed] = mapped_column(words(WebhookFeed, "feed"), server_default=WebhookFeed.ORDERS.value)
    types: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    url: Mapped[str]
    created_at: Mapped[datetime]
    verified_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_by: Mapped[str | None] = mapped_column(String(64))
    delivered_sequence: Mapped[int] = mapped_column(BigInteger)
    next_attempt_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(Integer)
    last_error: Mapped[str | None]
    sealed_secret: Mapped[str | None]
    previous_secret: Mapped[str | None]
    previous_secret_until: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("delivered_sequence >= 0", name="delivered_sequence"),
        CheckConstraint("(failures > 0) = (failing_since IS NOT NULL)", name="failing"),
        CheckConstraint("(previous_secret IS NULL) = (previous_secret_until IS NULL)", name="previous_secret"),
        Index("ix_webhooks_live", "next_attempt_at", postgresql_where="disabled_at IS NULL"),
    )


class WebhookDelivery(Base):
    """Something posted to a webhook, or to be: `posted_at` is empty until then. Only the latest of each are kept."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey(Webhook.id, ondelete="CASCADE"))
    kind: Mapped[DeliveryKind] = mapped_column(words(DeliveryKind, "kind"))
    first_event_id: Mapped[int | None] = mapped_column(BigInteger)
    last_event_id: Mapped[int | None] = mapped_column(BigInteger)
    asked_at: Mapped[datetime]
    posted_at: Mapped[datetime | None]
    answer_status: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None]
    duration_ms: Mapped[int | None] = mapped_column(Integer)

    __table_args__ = (
        CheckConstraint("(first_event_id IS NULL) = (last_event_id IS NULL)", name="event_ids"),
        Index("ix_webhook_deliveries_webhook_id_id", "webhook_id", "id"),
        Index("ix_webhook_deliveries_waiting", "webhook_id", "id", postgresql_where="posted_at IS NULL"),
    )


def active_account(account_id: str) -> Select[str]:
    """The id of an account, if that may log in."""
    return select(Account.id).where(Account.id == account_id, Account.is_active)


def may_post() -> ColumnElement[bool]:
    """The condition that a webhook's account is active and may see the feed, and the key that made it still works."""
    sees_feed = or_(Webhook.feed == WebhookFeed.ORDERS, Account.role.in_(READS_EVERY_ACCOUNT))
    of_account = exists().where(Account.id == Webhook.account_id, Account.is_active, sees_feed)
    key_works = exists().where(
        ApiKey.id == Webhook.key_id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > func.clock_timestamp()
    )
    return and_(of_account, or_(Webhook.key_id.is_(None), key_works))


def usernames(account_ids: Collection[str]) -> Select[str, str]:
    """The ids and usernames of these accounts."""
    return select(Account.id, Account.username).where(Account.id.in_(account_ids))
