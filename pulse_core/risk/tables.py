"""The limits that accounts have of their own."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, ForeignKey, Integer, Numeric, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from pulse_core.identity.tables import Account
from pulse_core.postgres.table_base import Base


class OwnLimits(Base):
    """What an account may do at most; NULL: what holds for all of its broker account.

    `set_by` is the admin's account, or an operator at a terminal by name.
    """

    __tablename__ = "risk_limits"

    account_id: Mapped[str] = mapped_column(String(30), ForeignKey(Account.id), primary_key=True)
    order_quantity: Mapped[int | None] = mapped_column(BigInteger)
    order_worth: Mapped[Decimal | None] = mapped_column(Numeric)
    day_quantity: Mapped[int | None] = mapped_column(BigInteger)
    day_worth: Mapped[Decimal | None] = mapped_column(Numeric)
    open_orders: Mapped[int | None] = mapped_column(Integer)
    orders_per_minute: Mapped[int | None] = mapped_column(Integer)
    price_collar_percent: Mapped[Decimal | None] = mapped_column(Numeric)
    volume_share_percent: Mapped[Decimal | None] = mapped_column(Numeric)
    instruments: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    products: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    set_at: Mapped[datetime]
    set_by: Mapped[str]
