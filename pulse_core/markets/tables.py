"""The tables of what operators say of single days of an exchange, and of what brokers say of the days ahead."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Double, Identity, Index, String
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


class BrokerCalendar(Base):
    """What a broker told last of the days from `first_day` to `last_day`; no order is ever held to it.

    `days` are the open ones: each a date, and when it opens and closes by the market's clock. `differences` are those
    from the calendars of this release, as far as they were told of. `clock_ahead` is how many seconds the broker's
    clock was ahead of Postgres's. It is asked again when `asked_at` is NULL; `reason` says why it told nothing then.
    """

    __tablename__ = "broker_calendars"

    broker: Mapped[str] = mapped_column(String(20), primary_key=True)
    asked_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    exchanges: Mapped[list[str]] = mapped_column(JSONB)
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    days: Mapped[list[list[str]]] = mapped_column(JSONB)
    differences: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    clock_ahead: Mapped[float | None] = mapped_column(Double)
    reason: Mapped[str | None] = mapped_column(String(300))
