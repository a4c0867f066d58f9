"""The table of alarms. `store/` writes it."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api_contract.alarms import AlarmStatus
from pulse_core.postgres.table_base import Base, words
from pulse_core.trading.alarms import AlarmCode


class Alarm(Base):
    """One cause for an operator to look: a code, and what it is about. `occurrences` counts how often it was seen.

    `subject` is the slice, else the order, else `installation`. `opened_at` is when it was last raised anew. Who
    acknowledged or resolved it is an account, an operator at a terminal by name, or `pulse` itself.
    """

    __tablename__ = "alarms"

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    code: Mapped[AlarmCode] = mapped_column(words(AlarmCode, "code"))
    subject: Mapped[str] = mapped_column(String(31))
    status: Mapped[AlarmStatus] = mapped_column(words(AlarmStatus, "status"))
    account_id: Mapped[str | None] = mapped_column(String(30))
    order_id: Mapped[str | None] = mapped_column(ForeignKey("orders.id"), index=True)
    slice_id: Mapped[str | None] = mapped_column(ForeignKey("order_slices.id"))
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    note: Mapped[str | None]
    occurrences: Mapped[int] = mapped_column(Integer)
    first_seen_at: Mapped[datetime]
    opened_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("code", "subject"),
        CheckConstraint("occurrences >= 1", name="occurrences"),
        CheckConstraint("(status = 'RESOLVED') = (resolved_at IS NOT NULL)", name="resolved"),
        CheckConstraint("status <> 'ACKNOWLEDGED' OR acknowledged_at IS NOT NULL", name="acknowledged"),
        CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name="who_acknowledged"),
        CheckConstraint("(resolved_at IS NULL) = (resolved_by IS NULL)", name="who_resolved"),
        Index("ix_alarms_unresolved", "code", "id", postgresql_where="status <> 'RESOLVED'"),
    )
