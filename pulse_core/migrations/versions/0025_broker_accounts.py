"""Accounts at brokers, what they are reached with, and who may trade with them.

An order names its broker account where it named its broker: the accounts of before are called as their brokers were.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0025"
down_revision = "0024"

_AT = sa.DateTime(timezone=True)
_STATES = "state IN ('READY', 'AWAITING_TOKEN', 'BLOCKED')"
_OF_BEFORE = """
    INSERT INTO broker_accounts (name, broker, is_live, options, state, state_since, made_by, made_at)
    SELECT name, name, name <> 'paper', '{}', CASE name WHEN 'paper' THEN 'READY' ELSE 'AWAITING_TOKEN' END, now(),
           'pulse', now()
      FROM (SELECT broker AS name FROM orders UNION SELECT 'paper') AS known
"""


def upgrade() -> None:
    op.create_table(
        "broker_accounts",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("broker", sa.String(20), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("options", JSONB(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(200)),
        sa.Column("state_since", _AT, nullable=False),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("made_at", _AT, nullable=False),
        sa.CheckConstraint(_STATES, name=op.f("ck_broker_accounts_state")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_broker_accounts")),
    )
    op.execute(_OF_BEFORE)
    op.create_table(
        "broker_credentials",
        sa.Column("broker_account", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("api_key", sa.Text(), nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=False),
        sa.Column("token_sealed", sa.Text()),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("broker_user", sa.String(64)),
        sa.Column("valid_until", _AT),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("made_at", _AT, nullable=False),
        _of_broker_account("broker_credentials"),
        sa.PrimaryKeyConstraint("broker_account", "version", name=op.f("pk_broker_credentials")),
    )
    op.create_table(
        "broker_grants",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("broker_account", sa.String(20), nullable=False),
        sa.Column("account_id", sa.String(30), nullable=False),
        sa.Column("granted_by", sa.String(64), nullable=False),
        sa.Column("granted_at", _AT, nullable=False),
        sa.Column("revoked_by", sa.String(64)),
        sa.Column("revoked_at", _AT),
        _of_broker_account("broker_grants"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_broker_grants_account_id")),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name=op.f("ck_broker_grants_who_revoked")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broker_grants")),
    )
    op.create_index(
        "ix_broker_grants_in_force",
        "broker_grants",
        ["account_id", "broker_account"],
        unique=True,
        postgresql_where="revoked_at IS NULL",
    )


def _of_broker_account(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_broker_account")
    return sa.ForeignKeyConstraint(["broker_account"], ["broker_accounts.name"], name=name)


def downgrade() -> None:
    for table in ("broker_grants", "broker_credentials", "broker_accounts"):
        op.drop_table(table)
