"""What the rig judges beside `pulse verify`: that nothing was taken for absent by a book that was not whole.

Where client order ids are looked up, no book proves an absence.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pulse_ops.paper_exchange.ledger import Ledger
from tests.rigs.chaos.measure import Tables

PROMISE = "absence-needs-a-whole-book"
# A reading of the book that ended at an instant began at most so long before it.
LONGEST_READING = timedelta(seconds=15)

_ABSENCES = """SELECT json_build_object('order_id', order_id, 'slice_id', slice_id, 'at', at) FROM slice_events
    WHERE from_status = 'UNKNOWN' AND detail->>'error_code' = 'ABSENT' AND order_id IN ({}) ORDER BY id"""
_ACKNOWLEDGED = """SELECT json_build_object('broker_order_id', detail->>'answer', 'at', at) FROM slice_events
    WHERE kind = 'BROKER_CALL' AND detail->>'outcome' = 'ACKNOWLEDGED' AND order_id IN ({}) ORDER BY id"""
_OF_ACCOUNT = "SELECT id FROM orders WHERE broker = 'paper'"

Row = Mapping[str, Any]


def broken(tables: Tables, ledger: Path) -> list[dict[str, Any]]:
    """Every absence that was concluded while the book did not show what the broker had acknowledged long before."""
    with Ledger(ledger) as read:
        shown_at = {order.order_id: order.visible_at for order in read.orders()}
    return list(broken_by(*(tables.column(one.format(_OF_ACCOUNT)) for one in (_ABSENCES, _ACKNOWLEDGED)), shown_at))


def broken_by(
    absences: Sequence[Row], acknowledged: Sequence[Row], shown_at: Mapping[str, datetime]
) -> Iterator[dict[str, Any]]:
    known = {row["broker_order_id"]: datetime.fromisoformat(row["at"]) for row in acknowledged}
    for absence in absences:
        at = datetime.fromisoformat(absence["at"])
        missing = [one for one, since in known.items() if since < at - LONGEST_READING and shown_at.get(one, at) > at]
        if missing:
            yield {
                "promise": PROMISE,
                "order_id": absence["order_id"],
                "slice_id": absence["slice_id"],
                "expected": "every order that the broker had acknowledged in the book that proved the absence",
                "found": f"{', '.join(missing)} missing at {at}",
            }
