"""The tables of events: what happened, how far it is numbered, and where it is posted."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Identity, Index, Integer, String, exists
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api_contract.alarms import AlarmEventKind
from api_contract.vocabulary import WebhookFeed
from pulse_core.events.names import EventKind
from pulse_core.identity.tables import Account
from pulse_core.postgres.table_base import Base, words


class SliceEvent(Base):
    """Append-only: every move of a slice or its order (`slice_id` empty), every broker call, fill and alarm.

    `sequence` numbers the events of an account; it is given when the account's feed is read.
    """

    __tablename__ = "slice_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    account_id: Mapped[str | None] = mapped_column(String(30))
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"))
    slice_id: Mapped[str | None] = mapped_column(ForeignKey("order_slices.id"))
    at: Mapped[datetime]
    kind: Mapped[EventKind] = mapped_column(words(EventKind, "kind"))
    from_status: Mapped[str | None] = mapped_column(String(20))
    to_status: Mapped[str | None] = mapped_column(String(20))
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (
        Index("ix_slice_events_order_id_id", "order_id", "id"),
        Index("ix_slice_events_slice_id_id", "slice_id", "id"),
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


class EventFeed(Base):
    """How far the events of an account are numbered. Its lock makes the numbers gap-free."""

    __tablename__ = "event_feeds"

    account_id: Mapped[str] = mapped_column(ForeignKey(Account.id), primary_key=True)
    last_sequence: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (CheckConstraint("last_sequence >= 0", name="last_sequence"),)


class Webhook(Base):
    """Where an account's events, or those of alarms, are posted. `delivered_sequence`: the last one taken there."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey(Account.id), index=True)
    feed: Mapped[WebhookFeed] = mapped_column(words(WebhookFeed, "feed"), server_default=WebhookFeed.ORDERS.value)
    url: Mapped[str]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    delivered_sequence: Mapped[int] = mapped_column(BigInteger)
    next_attempt_at: Mapped[datetime]
    failing_since: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(Integer)
    last_error: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("delivered_sequence >= 0", name="delivered_sequence"),
        CheckConstraint("(failures > 0) = (failing_since IS NOT NULL)", name="failing"),
        Index("ix_webhooks_live", "next_attempt_at", postgresql_where="disabled_at IS NULL"),
    )


def is_held_by(roles: Collection[str]) -> ColumnElement[bool]:
    """The condition that a webhook's account has one of these roles, and may log in."""
    return exists().where(Account.id == Webhook.account_id, Account.is_active, Account.role.in_(roles))
