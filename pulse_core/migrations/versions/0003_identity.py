"""Logins with rotating refresh tokens, API keys, revocations, counted failures and the audit of access."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

_AT = sa.DateTime(timezone=True)
_TABLES = ("audit_entries", "login_failures", "revocations", "api_keys", "refresh_tokens", "sessions")


def upgrade() -> None:
    op.add_column("accounts", sa.Column("generation", sa.Integer(), nullable=False, server_default="1"))
    op.alter_column("accounts", "generation", server_default=None)
    _create_sessions()
    _create_keys()
    _create_revocations()
    _create_records()


def downgrade() -> None:
    for name in _TABLES:
        op.drop_table(name)
    op.drop_column("accounts", "generation")


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(30), nullable=False),
        sa.Column("account_id", sa.String(30), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("expires_at", _AT, nullable=False),
        sa.Column("ended_at", _AT),
        sa.Column("end", sa.String(20)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_sessions_account_id")),
        sa.CheckConstraint("\"end\" IN ('LOGOUT', 'REUSE', 'ACCOUNT')", name=op.f("ck_sessions_end")),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_index("ix_sessions_live", "sessions", ["account_id"], postgresql_where="ended_at IS NULL")
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(30), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("used_at", _AT),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_refresh_tokens")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_refresh_tokens_session_id"), ondelete="CASCADE"
        ),
    )
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"])


def _create_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(30), nullable=False),
        sa.Column("account_id", sa.String(30), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("expires_at", _AT, nullable=False),
        sa.Column("last_used_at", _AT),
        sa.Column("revoked_at", _AT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_api_keys_account_id")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_api_keys_expires_at")),
    )
    op.create_index("ix_api_keys_account_id", "api_keys", ["account_id"])


def _create_revocations() -> None:
    op.create_table(
        "revocations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("generation", sa.Integer()),
        sa.Column("revoked_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocations")),
        sa.CheckConstraint("kind IN ('TOKEN', 'SESSION', 'KEY', 'ACCOUNT')", name=op.f("ck_revocations_kind")),
        sa.CheckConstraint("(kind = 'ACCOUNT') = (generation IS NOT NULL)", name=op.f("ck_revocations_generation")),
    )
    op.create_index("ix_revocations_revoked_at", "revocations", ["revoked_at"])


def _create_records() -> None:
    op.create_table(
        "login_failures",
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failed_at", _AT, nullable=False),
        sa.Column("blocked_until", _AT, nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_login_failures")),
    )
    op.create_index("ix_login_failures_last_failed_at", "login_failures", ["last_failed_at"])
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(64)),
        sa.Column("address", sa.String(64)),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"])
    op.create_index("ix_audit_entries_subject", "audit_entries", ["subject"])
