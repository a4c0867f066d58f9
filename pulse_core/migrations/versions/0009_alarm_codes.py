"""Alarms and the hold on all sending have codes: their sentences may be reworded, and decide nothing.

The sentences are those by which services before this revision told alarms apart, to the letter. And the lot size of an
order, which nobody can set, is no longer written.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_ALARMS = {
    "order taken for not placed is in the book": "TURNED_UP",
    "a claim that the database had lost was recorded again": "LOST_CLAIM",
    "two broker orders have one client order id": "DUPLICATE_ORDERS",
    "a working order is missing from the broker's book": "MISSING_FROM_BOOK",
    "the broker's book lacks orders that it acknowledged, and proves no absence": "BOOK_PROVES_NOTHING",
    "the broker's book shows no trace of an unknown slice: an operator must settle it": "LEFT_TO_OPERATORS",
    "the book of the day is closed on an unknown slice": "DAY_OVER",
    "the broker's day ended on a working slice, and its end was not seen": "END_UNSEEN",
    "fill after the end": "FILL_AFTER_END",
    "slice overfilled": "SLICE_OVERFILLED",
    "order overfilled": "ORDER_OVERFILLED",
    "the slice was lowered: its order had no room for all of it": "SLICE_LOWERED",
    "the slice is not sent: its order has no room for it": "NO_ROOM",
}
_HOLDS = {
    "the database is another than the one that was last compared with the broker's book": "ANOTHER_DATABASE",
    "the log of the database went back: its last commits are lost": "LOG_WENT_BACK",
    "the broker's book shows attempts that the database had lost": "CLAIMS_WERE_LOST",
    "a database that was never compared with the broker's book does not know all orders in it": "FIRST_LOOK",
}
_IS_HOLD_CODE = "hold_code IN ('ANOTHER_DATABASE', 'LOG_WENT_BACK', 'CLAIMS_WERE_LOST', 'FIRST_LOOK')"

_CODE_ALARMS = """
    UPDATE slice_events e SET detail = e.detail || jsonb_build_object('code', known.code)
      FROM jsonb_each_text(CAST(:codes AS jsonb)) AS known(sentence, code)
     WHERE e.kind = 'ALARM' AND e.detail->>'alarm' = known.sentence
"""
_CODE_HOLD = """
    UPDATE installation i SET hold_code = known.code
      FROM jsonb_each_text(CAST(:codes AS jsonb)) AS known(sentence, code)
     WHERE i.hold_reason = known.sentence
"""


def upgrade() -> None:
    # Events first, which takes a while and blocks nobody. Every claim looks at orders and at the hold, in this order:
    # both are locked from their change to the commit.
    op.execute(sa.text(_CODE_ALARMS).bindparams(codes=json.dumps(_ALARMS)))
    op.alter_column("orders", "lot_size", server_default="1")
    op.add_column("installation", sa.Column("hold_code", sa.String(20)))
    op.create_check_constraint(op.f("ck_installation_hold_code"), "installation", _IS_HOLD_CODE)
    op.execute(sa.text(_CODE_HOLD).bindparams(codes=json.dumps(_HOLDS)))


def downgrade() -> None:
    op.alter_column("orders", "lot_size", server_default=None)
    op.drop_column("installation", "hold_code")
    op.execute("UPDATE slice_events SET detail = detail - 'code' WHERE kind = 'ALARM'")
