"""The table of kept answers."""

from datetime import datetime

from sqlalchemy import CheckConstraint, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from pulse_core.postgres.table_base import Base


class IdempotencyKey(Base):
    """A client's name for one request of its account, and the answer once there is one.

    `request_hash` tells requests apart and shows nothing of them. Until `held_until` the call that is `holder` may be
    under way; after it, one without an answer has broken off.
    """

    __tablename__ = "idempotency_keys"

    account_id: Mapped[str] = mapped_column(String(30), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    holder: Mapped[str] = mapped_column(String(32))
    held_until: Mapped[datetime]
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    body: Mapped[str | None]
    location: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (CheckConstraint("(http_status IS NULL) = (body IS NULL)", name="answer"),)
