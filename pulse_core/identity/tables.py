"""The tables of who may do what: accounts, logins, keys, and what was revoked, guessed and recorded."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api_contract.scopes import Role
from api_contract.vocabulary import RevocationKind
from pulse_core.identity.vocabulary import SessionEnd
from pulse_core.postgres.table_base import Base, words


class Account(Base):
    """`generation` goes up whenever every token of the account must end; tokens carry the one they were made in.

    `requests_per_minute` is the account's own limit at the gateway, None for the installation's.
    `second_factor_since`: since when a login takes a code too; None where a password is enough.
    """

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str]
    role: Mapped[Role] = mapped_column(words(Role, "role"))
    is_active: Mapped[bool]
    generation: Mapped[int] = mapped_column(Integer)
    requests_per_minute: Mapped[int | None] = mapped_column(Integer)
    second_factor_since: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("requests_per_minute BETWEEN 1 AND 1000000", name="requests_per_minute"),)


class SecondFactor(Base):
    """What an account's codes are made of: the secret in use, one that awaits its confirmation, both sealed.

    `used_step` is the last period whose code was taken. Recovery codes stand here by their SHA-256 until they are used.
    """

    __tablename__ = "second_factors"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    secret: Mapped[str | None] = mapped_column(Text)
    used_step: Mapped[int | None] = mapped_column(BigInteger)
    recovery_hashes: Mapped[list[str]] = mapped_column(JSONB)
    new_secret: Mapped[str | None] = mapped_column(Text)
    offered_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("(secret IS NULL) = (used_step IS NULL)", name="secret"),
        CheckConstraint("(new_secret IS NULL) = (offered_at IS NULL)", name="new_secret"),
    )


class LoginSession(Base):
    """One login, and the family of refresh tokens that it led to. Its end is fixed when it begins."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    end: Mapped[SessionEnd | None] = mapped_column(words(SessionEnd, "end"))

    __table_args__ = (Index("ix_sessions_live", "account_id", postgresql_where="ended_at IS NULL"),)


class RefreshToken(Base):
    """A refresh token by the SHA-256 of its text. `retired_at`: another was given in its place before it was used.

    One that is used already, or retired, and comes again was stolen, but for a short grace after its use.
    """

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]


class ApiKey(Base):
    """A program's key, by the SHA-256 of its secret part. `networks`: where it may be used from, empty for anywhere."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    secret_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSONB)
    networks: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("expires_at > created_at", name="expires_at"),)


class Revocation(Base):
    """What gateways must refuse though it has not expired. Ids become visible in their order."""

    __tablename__ = "revocations"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[RevocationKind] = mapped_column(words(RevocationKind, "kind"))
    subject: Mapped[str] = mapped_column(String(64))
    generation: Mapped[int | None] = mapped_column(Integer)
    revoked_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (CheckConstraint("(kind = 'ACCOUNT') = (generation IS NOT NULL)", name="generation"),)


class LoginFailure(Base):
    """Failed logins of one username, of one in one network, or of one address, since its last success or rest."""

    __tablename__ = "login_failures"

    subject: Mapped[str] = mapped_column(String(80), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    last_failed_at: Mapped[datetime] = mapped_column(index=True)
    blocked_until: Mapped[datetime]


class LoginNetwork(Base):
    """A network that an account has logged in from."""

    __tablename__ = "login_networks"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    network: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_login_at: Mapped[datetime]


class AuditEntry(Base):
    """Append-only: who did what to whom, for everything that concerns access."""

    __tablename__ = "audit_entries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str | None] = mapped_column(String(64), index=True)
    address: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
