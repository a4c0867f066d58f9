"""The tables of broker accounts, their credentials, and who may trade with them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.postgres.table_base import Base, words


class BrokerAccount(Base):
    """An account at a broker. Its name is its key: orders, attempts and fills name it, and it never changes.

    `options` are what only the adapter of its broker understands. `first_compared_at` is when its book was first
    compared with this database; until then, what looks like an order of ours in it is a reason to send nothing.
    While its state is not READY it is probed at `probe_at`, the longer apart the more `probes` came to nothing;
    `is_read_refused`: reading was refused there too.
    """

    __tablename__ = "broker_accounts"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    broker: Mapped[str] = mapped_column(String(20))
    is_live: Mapped[bool]
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[BrokerAccountState] = mapped_column(words(BrokerAccountState, "state"))
    reason: Mapped[str | None] = mapped_column(String(200))
    state_since: Mapped[datetime]
    probes: Mapped[int] = mapped_column(server_default="0")
    probe_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    is_read_refused: Mapped[bool] = mapped_column(server_default="false")
    first_compared_at: Mapped[datetime | None]
    made_by: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]


class BrokerCredentials(Base):
    """One version of what a broker account is reached with. Only the newest counts; rows stay, for the audit.

    Sealed with the key that `key_id` names, as the secret of this account and version alone.
    """

    __tablename__ = "broker_credentials"

    broker_account: Mapped[str] = mapped_column(ForeignKey("broker_accounts.name"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    api_key: Mapped[str] = mapped_column(Text)
    secret_sealed: Mapped[str] = mapped_column(Text)
    token_sealed: Mapped[str | None] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(String(32))
    broker_user: Mapped[str | None] = mapped_column(String(64))
    valid_until: Mapped[datetime | None]
    warned_at: Mapped[datetime | None]
    made_by: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]


class BrokerGrant(Base):
    """An account of Pulse that may trade with a broker account. Rows stay: who gave and who took it can be read."""

    __tablename__ = "broker_grants"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    broker_account: Mapped[str] = mapped_column(ForeignKey("broker_accounts.name"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    granted_by: Mapped[str] = mapped_column(String(64))
    granted_at: Mapped[datetime]
    revoked_by: Mapped[str | None] = mapped_column(String(64))
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="who_revoked"),
        Index(
            "ix_broker_grants_in_force",
            "account_id",
            "broker_account",
            unique=True,
            postgresql_where="revoked_at IS NULL",
        ),
    )
