"""The tables of what brokers may be asked, and when: budgets, turns, and who reads a book. `store/` writes them."""

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    Identity,
    Index,
    Integer,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from pulse_core.postgres.table_base import Base


class BrokerBudget(Base):
    """What an account at a broker may still be asked, for all workers. `version` grows with each change.

    `calls_of_day` are the turns given for the broker's `day`, the last of them at `given_at`. Before `room_at` there is
    no room for a placement more; from `full_since` to `full_until` the broker itself takes no call at all.
    """

    __tablename__ = "broker_budgets"

    broker_account: Mapped[str] = mapped_column("broker", String(20), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    day: Mapped[date]
    calls_of_day: Mapped[int] = mapped_column(Integer)
    given_at: Mapped[datetime]
    room_at: Mapped[datetime]
    full_since: Mapped[datetime | None]
    full_until: Mapped[datetime | None]


class BrokerTurn(Base):
    """A call that an account at a broker has been given room for: of a slice, to place it or to cancel it.

    Those of the last minute are kept.
    """

    __tablename__ = "broker_turns"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    broker_account: Mapped[str] = mapped_column("broker", String(20))
    at: Mapped[datetime]
    slice_id: Mapped[str] = mapped_column(String(29))
    order_id: Mapped[str] = mapped_column(String(30))
    account_id: Mapped[str] = mapped_column(String(30))
    is_cancel: Mapped[bool]

    __table_args__ = (Index("ix_broker_turns_at", "broker", "at"),)


class BookTurn(Base):
    """Who reads the book of a broker account, or read it last, and until when it is theirs alone.

    Nobody else begins a reading before `held_until`, nor, once it was given back, before `next_at`. Instants of
    Postgres's clock. It saves work and guards nothing: readers at the same time do no harm.
    """

    __tablename__ = "book_turns"

    broker_account: Mapped[str] = mapped_column("broker", String(20), primary_key=True)
    holder: Mapped[str]
    taken_at: Mapped[datetime]
    held_until: Mapped[datetime]
    next_at: Mapped[datetime]
