"""The table of what operators say of single days of an exchange."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from pulse_core.postgres.table_base import Base


class MarketOverride(Base):
    """What holds for a day of an exchange in place of its calendar; `phases` and `cut_offs` as in the calendars' files.

    Without phases the exchange is closed. Rows stay: who made one and who revoked it can be read for ever.
    """

    __tablename__ = "market_overrides"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    exchange: Mapped[str] = mapped_column(String(16))
    day: Mapped[date]
    phases: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    cut_offs: Mapped[dict[str, str]] = mapped_column(JSONB)
    reason: Mapped[str] = mapped_column(String(200))
    made_by: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
    revoked_by: Mapped[str | None] = mapped_column(String(64))
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="who_revoked"),
        Index("ix_market_overrides_in_force", "exchange", "day", unique=True, postgresql_where="revoked_at IS NULL"),
    )
