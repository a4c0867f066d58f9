"""The tables of what brokers list, and of the loads that brought it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Integer, Numeric, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api_contract.vocabulary import InstrumentKind, LoadOutcome
from pulse_core.postgres.table_base import Base, words


class InstrumentLoad(Base):
    """One load of a broker's list: asked for, begun by a worker that holds it for a while, ended. Rows stay.

    The last that is LOADED is in force. Of a broker only one at a time is not ended. `accepts_smaller`: an operator has
    said that the list may have shrunk.
    """

    __tablename__ = "instrument_loads"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    broker: Mapped[str] = mapped_column(String(20))
    asked_by: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime]
    accepts_smaller: Mapped[bool]
    holder: Mapped[str | None] = mapped_column(String(36))
    begun_at: Mapped[datetime | None]
    held_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[LoadOutcome | None] = mapped_column(words(LoadOutcome, "outcome"))
    listed: Mapped[int | None] = mapped_column(Integer)
    skipped: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended"),
        Index("ix_instrument_loads_open", "broker", unique=True, postgresql_where="ended_at IS NULL"),
        Index("ix_instrument_loads_in_force", "broker", "id", postgresql_where="outcome = 'LOADED'"),
    )


class Instrument(Base):
    """A line of the list that a load brought. Those of the load in force count; those of the one before stay, too.

    Symbols are compared byte by byte, so that an index finds those that begin alike.
    """

    __tablename__ = "instruments"

    load_id: Mapped[int] = mapped_column(ForeignKey("instrument_loads.id"), primary_key=True)
    exchange: Mapped[str] = mapped_column(String(16), primary_key=True)
    symbol: Mapped[str] = mapped_column(String(32, collation="C"), primary_key=True)
    broker: Mapped[str] = mapped_column(String(20))
    token: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(64))
    kind: Mapped[InstrumentKind] = mapped_column(words(InstrumentKind, "kind"))
    lot_size: Mapped[int] = mapped_column(BigInteger)
    tick_size: Mapped[Decimal] = mapped_column(Numeric)
    freeze_quantity: Mapped[int | None] = mapped_column(BigInteger)
    max_quantity: Mapped[int | None] = mapped_column(BigInteger)
    products: Mapped[list[str]] = mapped_column(JSONB)
    limits: Mapped[dict[str, Any]] = mapped_column(JSONB)
    expires_on: Mapped[date | None]

    __table_args__ = (
        CheckConstraint("lot_size >= 1", name="lot_size"),
        CheckConstraint("tick_size > 0", name="tick_size"),
    )
