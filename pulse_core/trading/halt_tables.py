"""The tables of halts: what nothing new is sent of, and the attempts that were at the broker when that began."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from api_contract.vocabulary import HaltedWorking
from pulse_core.postgres.table_base import Base, words


class Halt(Base):
    """A halt of all orders of an account, for a broker account, of an instrument; of everything where none is named.

    It is in force until `released_at`. From `release_asked_at` on its orders are given new times, and nothing is called
    back any more. `told_at` is when its orders were told of it, `quiet_at` when nothing that it covers was left at the
    broker. Who made or released it is an account, or an operator at a terminal by name. Rows stay.
    """

    __tablename__ = "halts"

    id: Mapped[str] = mapped_column(String(31), primary_key=True)
    account_id: Mapped[str | None] = mapped_column(String(30))
    broker_account: Mapped[str | None] = mapped_column("broker", String(20))
    instrument: Mapped[str | None] = mapped_column(String(49))
    working: Mapped[HaltedWorking] = mapped_column(words(HaltedWorking, "working"))
    reason: Mapped[str] = mapped_column(String(200))
    made_by: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    quiet_at: Mapped[datetime | None]
    release_asked_by: Mapped[str | None] = mapped_column(String(64))
    release_asked_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("(release_asked_at IS NULL) = (release_asked_by IS NULL)", name="who_released"),
        CheckConstraint("released_at IS NULL OR release_asked_at IS NOT NULL", name="released"),
        # Asked for each slice that is claimed: there is hardly ever one.
        Index("ix_halts_watched", "id", postgresql_where="released_at IS NULL OR quiet_at IS NULL"),
    )


class HaltedAttempt(Base):
    """An attempt that may have been at the broker when a halt began, and what it was filled by then.

    Those that had ended a moment before are among them. The rows of the attempt itself tell what became of it.
    """

    __tablename__ = "halted_attempts"

    # Written a moment before the halt itself, so that nothing waits for them once that is in force.
    halt_id: Mapped[str] = mapped_column(String(31), primary_key=True)
    client_order_id: Mapped[str] = mapped_column(ForeignKey("placements.client_order_id"), primary_key=True)
    filled_before: Mapped[int] = mapped_column(BigInteger)
