"""An inbox of alarms, what happened to each of them, and webhooks that alarms are posted to.

Alarms that were events alone come in, one for each cause. Open are those whose trouble still stands, and what only an
operator can judge if it is younger than a week; the others come in as resolved, so that years of them bury nothing.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from ulid import ULID

revision = "0011"
down_revision = "0010"

_AT = sa.DateTime(timezone=True)
_CODES = (
    "TURNED_UP",
    "LOST_CLAIM",
    "DUPLICATE_ORDERS",
    "MISSING_FROM_BOOK",
    "BOOK_PROVES_NOTHING",
    "LEFT_TO_OPERATORS",
    "DAY_OVER",
    "END_UNSEEN",
    "FILL_AFTER_END",
    "SLICE_OVERFILLED",
    "ORDER_OVERFILLED",
    "SLICE_LOWERED",
    "NO_ROOM",
    "UNEXPLAINED_ORDERS",
    "SENDING_HELD",
)
_STATUSES = ("OPEN", "ACKNOWLEDGED", "RESOLVED")
_KINDS = ("RAISED", "ACKNOWLEDGED", "RESOLVED", "NOTED")

# One row for each cause, with what its latest event said.
_CAUSES = """
    SELECT DISTINCT ON (e.detail->>'code', coalesce(e.slice_id, e.order_id))
           e.detail->>'code' AS code,
           coalesce(e.slice_id, e.order_id) AS subject,
           o.account_id, e.order_id, e.slice_id,
           e.detail - 'code' - 'alarm' AS detail,
           count(*) OVER cause AS occurrences,
           min(e.at) OVER cause AS first_seen_at,
           max(e.at) OVER cause AS last_seen_at,
           CASE WHEN e.detail->>'code' IN ('BOOK_PROVES_NOTHING', 'LEFT_TO_OPERATORS', 'DAY_OVER')
                THEN s.status = 'UNKNOWN'
                WHEN e.detail->>'code' = 'MISSING_FROM_BOOK'
                THEN s.status = 'WORKING' AND s.broker_order_id = e.detail->>'broker_order_id'
                WHEN e.detail->>'code' = 'END_UNSEEN'
                THEN s.error_code IS NOT DISTINCT FROM 'END_UNSEEN'
                ELSE max(e.at) OVER cause > now() - interval '7 days'
            END AS is_open,
           now() AS carried_at
      FROM slice_events e
      JOIN orders o ON o.id = e.order_id
      LEFT JOIN order_slices s ON s.id = e.slice_id
     WHERE e.kind = 'ALARM' AND e.detail->>'code' = ANY(:codes)
    WINDOW cause AS (PARTITION BY e.detail->>'code', coalesce(e.slice_id, e.order_id))
     ORDER BY e.detail->>'code', coalesce(e.slice_id, e.order_id), e.id DESC
"""
_HOLD = """
    SELECT held_since, hold_code, hold_reason FROM installation WHERE held_since IS NOT NULL
"""


def _words(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)


def upgrade() -> None:
    alarms, alarm_events = _create_alarms(), _create_events()
    op.add_column("webhooks", sa.Column("feed", sa.String(20), nullable=False, server_default="orders"))
    op.create_check_constraint(op.f("ck_webhooks_feed"), "webhooks", "feed IN ('orders', 'alarms')")
    found = [*_old_alarms(), *_old_hold()]
    op.bulk_insert(alarms, found)
    op.bulk_insert(alarm_events, [_told(one) for one in found])


def _create_alarms() -> sa.Table:
    table = op.create_table(
        "alarms",
        sa.Column("id", sa.String(30), nullable=False),
        sa.Column("code", _words("code", _CODES), nullable=False),
        sa.Column("subject", sa.String(30), nullable=False),
        sa.Column("status", _words("status", _STATUSES), nullable=False),
        sa.Column("account_id", sa.String(30)),
        sa.Column("order_id", sa.String(30)),
        sa.Column("slice_id", sa.String(29)),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", _AT, nullable=False),
        sa.Column("opened_at", _AT, nullable=False),
        sa.Column("last_seen_at", _AT, nullable=False),
        sa.Column("acknowledged_at", _AT),
        sa.Column("acknowledged_by", sa.Text()),
        sa.Column("resolved_at", _AT),
        sa.Column("resolved_by", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
        sa.UniqueConstraint("code", "subject", name=op.f("uq_alarms_code_subject")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_alarms_order_id")),
        sa.ForeignKeyConstraint(["slice_id"], ["order_slices.id"], name=op.f("fk_alarms_slice_id")),
        sa.CheckConstraint("occurrences >= 1", name=op.f("ck_alarms_occurrences")),
        sa.CheckConstraint("(status = 'RESOLVED') = (resolved_at IS NOT NULL)", name=op.f("ck_alarms_resolved")),
        sa.CheckConstraint(
            "status <> 'ACKNOWLEDGED' OR acknowledged_at IS NOT NULL", name=op.f("ck_alarms_acknowledged")
        ),
        sa.CheckConstraint(
            "(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name=op.f("ck_alarms_who_acknowledged")
        ),
        sa.CheckConstraint("(resolved_at IS NULL) = (resolved_by IS NULL)", name=op.f("ck_alarms_who_resolved")),
    )
    op.create_index("ix_alarms_order_id", "alarms", ["order_id"])
    op.create_index("ix_alarms_unresolved", "alarms", ["code", "id"], postgresql_where="status <> 'RESOLVED'")
    return table


def _create_events() -> sa.Table:
    table = op.create_table(
        "alarm_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("sequence", sa.BigInteger()),
        sa.Column("alarm_id", sa.String(30), nullable=False),
        sa.Column("code", sa.String(20), nullable=False),
        sa.Column("account_id", sa.String(30)),
        sa.Column("order_id", sa.String(30)),
        sa.Column("slice_id", sa.String(29)),
        sa.Column("at", _AT, nullable=False),
        sa.Column("kind", _words("kind", _KINDS), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_events")),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarms.id"], name=op.f("fk_alarm_events_alarm_id")),
    )
    op.create_index("ix_alarm_events_alarm_id", "alarm_events", ["alarm_id"])
    op.create_index(
        "ix_alarm_events_sequence", "alarm_events", ["sequence"], unique=True,
        postgresql_where="sequence IS NOT NULL",
    )  # fmt: skip
    op.create_index("ix_alarm_events_unnumbered", "alarm_events", ["id"], postgresql_where="sequence IS NULL")
    return table


def _old_alarms() -> list[dict[str, Any]]:
    codes = sa.bindparam("codes", list(_CODES), type_=postgresql.ARRAY(sa.String()))
    rows = op.get_bind().execute(sa.text(_CAUSES).bindparams(codes)).mappings()
    return [_alarm(**row) for row in rows]


def _old_hold() -> list[dict[str, Any]]:
    row = op.get_bind().execute(sa.text(_HOLD)).mappings().one_or_none()
    if row is None:
        return []
    since, detail = row["held_since"], {"hold_code": row["hold_code"], "reason": row["hold_reason"]}
    return [_alarm(code="SENDING_HELD", subject="installation", detail=detail, first_seen_at=since, last_seen_at=since)]


def _alarm(
    *, is_open: bool = True, carried_at: Any = None, first_seen_at: Any, last_seen_at: Any, **known: Any
) -> dict[str, Any]:
    resolved = {} if is_open else {"resolved_at": carried_at, "resolved_by": "pulse"}
    unknown = dict.fromkeys(("account_id", "order_id", "slice_id", "resolved_at", "resolved_by"))
    return {
        **unknown,
        "id": f"alm_{ULID.from_datetime(first_seen_at)}",
        "status": "OPEN" if is_open else "RESOLVED",
        "occurrences": 1,
        "first_seen_at": first_seen_at,
        "opened_at": first_seen_at,
        "last_seen_at": last_seen_at,
        **known,
        **resolved,
    }


def _told(alarm: dict[str, Any]) -> dict[str, Any]:
    about = {name: alarm[name] for name in ("code", "account_id", "order_id", "slice_id", "detail")}
    return {"alarm_id": alarm["id"], "at": alarm["opened_at"], "kind": "RAISED", "actor": "pulse", **about}


def downgrade() -> None:
    # Without the column, they would be sent the events of their account's orders.
    op.execute("DELETE FROM webhooks WHERE feed = 'alarms'")
    op.drop_column("webhooks", "feed")
    op.drop_table("alarm_events")
    op.drop_table("alarms")
