"""orders, slices, placements, fills, events"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=30), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "viewer",
                "trader",
                "operator",
                "admin",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("username", name=op.f("uq_accounts_username")),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=30), nullable=False),
        sa.Column("account_id", sa.String(length=30), nullable=False),
        sa.Column("order_unique_key", sa.String(length=64), nullable=False),
        sa.Column("instrument", sa.String(length=49), nullable=False),
        sa.Column(
            "side",
            sa.Enum("BUY", "SELL", name="side", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("total_quantity", sa.BigInteger(), nullable=False),
        sa.Column("lot_size", sa.BigInteger(), nullable=False),
        sa.Column("num_splits", sa.SmallInteger(), nullable=False),
        sa.Column("duration_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("randomize", sa.Boolean(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "IN_PROGRESS",
                "PAUSED",
                "CANCELLING",
                "CANCELLED",
                "DONE",
                "SKIPPED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column(
            "result",
            sa.Enum(
                "FILLED",
                "PARTIALLY_FILLED",
                "UNFILLED",
                name="result",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=True,
        ),
        sa.Column("skip_reason", sa.Text(), nullable=True),
        sa.Column("filled_quantity", sa.BigInteger(), nullable=False),
        sa.Column("average_price", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trace", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "(status IN ('DONE', 'CANCELLED', 'SKIPPED')) = (finished_at IS NOT NULL)", name=op.f("ck_orders_finished")
        ),
        sa.CheckConstraint("duration_minutes BETWEEN 1 AND 1440", name=op.f("ck_orders_duration_minutes")),
        sa.CheckConstraint("end_at > start_at", name=op.f("ck_orders_window")),
        sa.CheckConstraint("filled_quantity >= 0", name=op.f("ck_orders_filled_quantity")),
        sa.CheckConstraint("lot_size >= 1", name=op.f("ck_orders_lot_size")),
        sa.CheckConstraint("num_splits BETWEEN 2 AND 100", name=op.f("ck_orders_num_splits")),
        sa.CheckConstraint("total_quantity >= 1", name=op.f("ck_orders_total_quantity")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_orders_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("account_id", "order_unique_key", name=op.f("uq_orders_account_id_order_unique_key")),
    )
    op.create_index("ix_orders_account_id_id", "orders", ["account_id", "id"], unique=False)
    op.create_index(
        "ix_orders_live",
        "orders",
        ["id"],
        unique=False,
        postgresql_where="status IN ('IN_PROGRESS', 'PAUSED', 'CANCELLING')",
    )
    op.create_index("ix_orders_pending", "orders", ["created_at"], unique=False, postgresql_where="status = 'PENDING'")
    op.create_table(
        "order_slices",
        sa.Column("id", sa.String(length=29), nullable=False),
        sa.Column("order_id", sa.String(length=30), nullable=False),
        sa.Column("sequence_number", sa.SmallInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hinted_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "SCHEDULED",
                "SENDING",
                "UNKNOWN",
                "WORKING",
                "FILLED",
                "CANCELLED",
                "REJECTED",
                "EXPIRED",
                "FAILED",
                "SKIPPED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("client_order_id", sa.String(length=20), nullable=True),
        sa.Column("broker_order_id", sa.String(length=64), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolve_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("absent_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "cancel_reason",
            sa.Enum(
                "DEADLINE",
                "ORDER_CANCELLED",
                name="cancel_reason",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=True,
        ),
        sa.Column("cancel_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filled_quantity", sa.BigInteger(), nullable=False),
        sa.Column("average_price", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status <> 'SENDING' OR lease_expires_at IS NOT NULL", name=op.f("ck_order_slices_sending_has_lease")
        ),
        sa.CheckConstraint(
            "status <> 'UNKNOWN' OR resolve_at IS NOT NULL", name=op.f("ck_order_slices_unknown_is_resolved")
        ),
        sa.CheckConstraint(
            "status <> 'WORKING' OR (broker_order_id IS NOT NULL AND deadline_at IS NOT NULL)",
            name=op.f("ck_order_slices_working_is_tracked"),
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_order_slices_attempts")),
        sa.CheckConstraint("filled_quantity >= 0", name=op.f("ck_order_slices_filled_quantity")),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_order_slices_quantity")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_slices_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_slices")),
        sa.UniqueConstraint("client_order_id", name=op.f("uq_order_slices_client_order_id")),
        sa.UniqueConstraint("order_id", "sequence_number", name=op.f("uq_order_slices_order_id_sequence_number")),
    )
    op.create_index(
        "ix_order_slices_scheduled", "order_slices", ["due_at"], unique=False, postgresql_where="status = 'SCHEDULED'"
    )
    op.create_index(
        "ix_order_slices_sending",
        "order_slices",
        ["lease_expires_at"],
        unique=False,
        postgresql_where="status = 'SENDING'",
    )
    op.create_index(
        "ix_order_slices_unknown", "order_slices", ["resolve_at"], unique=False, postgresql_where="status = 'UNKNOWN'"
    )
    op.create_index(
        "ix_order_slices_working", "order_slices", ["deadline_at"], unique=False, postgresql_where="status = 'WORKING'"
    )
    op.create_table(
        "fills",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("slice_id", sa.String(length=29), nullable=False),
        sa.Column("broker", sa.String(length=20), nullable=False),
        sa.Column("broker_order_id", sa.String(length=64), nullable=False),
        sa.Column("broker_trade_id", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("traded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("price > 0", name=op.f("ck_fills_price")),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_fills_quantity")),
        sa.ForeignKeyConstraint(["slice_id"], ["order_slices.id"], name=op.f("fk_fills_slice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fills")),
        sa.UniqueConstraint(
            "broker", "broker_order_id", "broker_trade_id", name=op.f("uq_fills_broker_broker_order_id_broker_trade_id")
        ),
    )
    op.create_index(op.f("ix_fills_slice_id"), "fills", ["slice_id"], unique=False)
    op.create_table(
        "placements",
        sa.Column("client_order_id", sa.String(length=20), nullable=False),
        sa.Column("slice_id", sa.String(length=29), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("broker", sa.String(length=20), nullable=False),
        sa.Column("broker_order_id", sa.String(length=64), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum(
                "ACKNOWLEDGED",
                "REFUSED",
                "NOT_SENT",
                "UNKNOWN",
                "ABSENT",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=True,
        ),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_placements_quantity")),
        sa.ForeignKeyConstraint(["slice_id"], ["order_slices.id"], name=op.f("fk_placements_slice_id")),
        sa.PrimaryKeyConstraint("client_order_id", name=op.f("pk_placements")),
        sa.UniqueConstraint("broker", "broker_order_id", name=op.f("uq_placements_broker_broker_order_id")),
        sa.UniqueConstraint("slice_id", "attempt", name=op.f("uq_placements_slice_id_attempt")),
    )
    op.create_index("ix_placements_claimed_at", "placements", ["claimed_at"], unique=False)
    op.create_table(
        "slice_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_id", sa.String(length=30), nullable=False),
        sa.Column("slice_id", sa.String(length=29), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "MOVE",
                "BROKER_CALL",
                "FILL",
                "ALARM",
                "REQUEST",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("from_status", sa.String(length=20), nullable=True),
        sa.Column("to_status", sa.String(length=20), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_slice_events_order_id")),
        sa.ForeignKeyConstraint(["slice_id"], ["order_slices.id"], name=op.f("fk_slice_events_slice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slice_events")),
    )
    op.create_index("ix_slice_events_order_id_id", "slice_events", ["order_id", "id"], unique=False)
    op.create_index("ix_slice_events_slice_id_id", "slice_events", ["slice_id", "id"], unique=False)
    # Slices change status several times within a minute; the sweeps' partial indexes must not fill with dead rows.
    op.execute(
        "ALTER TABLE order_slices SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,"
        " autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0)"
    )


def downgrade() -> None:
    for table in ("slice_events", "placements", "fills", "order_slices", "orders", "accounts"):
        op.drop_table(table)
