"""What instruments stood at: now, when an order arrived, and on the days before."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Numeric, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from pulse_core.postgres.table_base import Base


class LastPrice(Base):
    """The last price of an instrument about which slices are due, as it was read for all workers at `read_at`.

    It is not logged: after a crash of Postgres nothing is known, as after a start.
    """

    __tablename__ = "last_prices"

    broker_account: Mapped[str] = mapped_column("broker", String(20), primary_key=True)
    instrument: Mapped[str] = mapped_column(String(49), primary_key=True)
    price: Mapped[Decimal] = mapped_column(Numeric)
    read_at: Mapped[datetime]

    # Each is rewritten every second, within its page.
    __table_args__ = ({"prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": 50}},)


class Arrival(Base):
    """What the instrument of an order stood at just after the order was accepted, read at `taken_at`.

    `bids` and `asks` are up to five levels, the best first, each a price as text and a quantity. `quoted_at` is the
    broker's instant.
    """

    __tablename__ = "arrivals"

    order_id: Mapped[str] = mapped_column(String(30), ForeignKey("orders.id"), primary_key=True)
    taken_at: Mapped[datetime]
    quoted_at: Mapped[datetime | None]
    last_price: Mapped[Decimal] = mapped_column(Numeric)
    volume: Mapped[int | None] = mapped_column(BigInteger)
    bids: Mapped[list[list[Any]]] = mapped_column(JSONB)
    asks: Mapped[list[list[Any]]] = mapped_column(JSONB)


class DayVolume(Base):
    """What was traded of an instrument on a day of its market, as far as it was last seen on it."""

    __tablename__ = "day_volumes"

    instrument: Mapped[str] = mapped_column(String(49), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    volume: Mapped[int] = mapped_column(BigInteger)
