"""The policies that accounts have of their own."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from api_contract.vocabulary import AtEnd, CatchUp, Leftover
from pulse_core.identity.tables import Account
from pulse_core.postgres.table_base import Base, words


class OwnPolicy(Base):
    """How an account's orders catch up that do not state it; NULL: what holds for all.

    `set_by` is the account itself, an admin's, or an operator at a terminal by name.
    """

    __tablename__ = "account_policies"

    account_id: Mapped[str] = mapped_column(String(30), ForeignKey(Account.id), primary_key=True)
    catch_up: Mapped[CatchUp | None] = mapped_column(words(CatchUp, "catch_up"))
    max_slice_multiple: Mapped[int | None] = mapped_column(SmallInteger)
    extend_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    leftover: Mapped[Leftover | None] = mapped_column(words(Leftover, "leftover"))
    at_end: Mapped[AtEnd | None] = mapped_column(words(AtEnd, "at_end"))
    set_at: Mapped[datetime]
    set_by: Mapped[str]

    __table_args__ = (
        CheckConstraint("max_slice_multiple BETWEEN 1 AND 10", name="max_slice_multiple"),
        CheckConstraint("extend_minutes BETWEEN 0 AND 1440", name="extend_minutes"),
    )
