"""The table of webhooks."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from pulse_core.base_model import Base


class Webhook(Base):
    """Where an account's events are posted. `delivered_sequence` is the last one that was taken there."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
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
