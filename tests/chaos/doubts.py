"""What the rig judges beside `pulse verify`: orders that come later than any delay waits for, and what follows.

The exchange of a run takes an order, or shows it, later than SETTLE_DELAY: nothing could keep its slice from being sent
again. From the moment the database knows of it, nothing more may be.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pulse_core.brokers.paper.clock import utc
from pulse_core.brokers.paper.schema import open_for_reading
from tests.chaos.measure import Tables

# What one order more of a slice cannot but break.
UNAVOIDABLE = ("one-live-order", "never-over-quantity", "written-off-rightly", "quantities-add-up", "statuses-agree")
# A reading of the books that ended at an instant began at most so long before it.
LONGEST_READING = timedelta(seconds=15)

_ATTEMPTS = """SELECT json_build_object('slice', slice_id, 'order', order_id, 'tag', placements.client_order_id,
    'attempt', attempt, 'quantity', placements.quantity, 'broker_order_id', placements.broker_order_id,
    'ended_at', extract(epoch FROM placements.ended_at))
    FROM placements JOIN order_slices ON order_slices.id = slice_id ORDER BY slice_id, attempt"""
_EVENTS = """SELECT json_build_object('id', id, 'slice', slice_id, 'at', extract(epoch FROM at), 'kind', kind,
    'from', from_status, 'to', to_status, 'detail', detail) FROM slice_events WHERE slice_id IS NOT NULL ORDER BY id"""
_SEEN = """SELECT orders.tag, orders.order_id, arrived_at, visible_at FROM orders
    JOIN arrivals ON arrivals.order_id = orders.order_id"""

Row = Mapping[str, Any]
Violation = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """An order at the exchange: when its request arrived, and from when on the book shows it."""

    broker_order_id: str
    arrived_at: datetime
    visible_at: datetime


@dataclass(frozen=True)
class Doubts:
    """Attempts and events of the database, and `seen`, what the exchange knows, by client order id."""

    attempts: Sequence[Row]
    events: Sequence[Row]
    seen: Mapping[str, Seen]
    settle_delay: timedelta

    def unavoidable(self, violation: Violation) -> bool:
        """Whether an order that came too late for any delay explains it."""
        if violation["promise"] not in UNAVOIDABLE:
            return False
        late = [one for one in self.attempts if self._is_late(one)]
        named = violation.get("slice_id") or violation.get("order_id")
        return any(named in (one["slice"], one["order"]) for one in late)

    def violations(self) -> Iterator[Violation]:
        yield from self._sent_although_known()
        yield from self._written_off_by_part_of_a_book()

    def _is_late(self, attempt: Row) -> bool:
        seen = self.seen.get(attempt["tag"])
        return seen is not None and seen.visible_at - seen.arrived_at > self.settle_delay

    def _sent_although_known(self) -> Iterator[Violation]:
        """Events of one slice are numbered in the order in which they were decided, its row being locked."""
        attempts = grouped(self.attempts)
        for slice_id, events in grouped(self.events).items():
            for number, claim in enumerate(events):
                if claim["to"] != "SENDING":
                    continue
                for other in attempts[slice_id]:
                    if other["attempt"] < claim["detail"]["attempt"] and _is_live(other, events[:number], claim["at"]):
                        what = f"attempt {claim['detail']['attempt']} while {other['broker_order_id']} may be live"
                        yield _violation("nothing-beside-a-known-order", other, "no claim", what)
                yield from _too_much(attempts[slice_id], events[:number], claim)

    def _written_off_by_part_of_a_book(self) -> Iterator[Violation]:
        """An absence was concluded from a book that did not show what the broker had acknowledged before."""
        acknowledged = [
            (datetime_of(event["at"]), event["detail"]["answer"])
            for event in self.events
            if event["kind"] == "BROKER_CALL" and event["detail"].get("outcome") == "ACKNOWLEDGED"
        ]
        visible = {one.broker_order_id: one.visible_at for one in self.seen.values()}
        attempts = grouped(self.attempts)
        for event in self.events:
            if event["from"] != "UNKNOWN" or event["detail"].get("error_code") != "ABSENT":
                continue
            at = datetime_of(event["at"])
            hidden = [
                name for known, name in acknowledged if known < at - LONGEST_READING and visible.get(name, at) > at
            ]
            if hidden:
                what = f"absent at {at}, when {', '.join(hidden)} were missing"
                yield _violation("absence-needs-a-whole-book", attempts[event["slice"]][0], "every known order", what)


def read_doubts(tables: Tables, ledger: Path, settle_delay: float) -> Doubts:
    """Both sides of a run that has ended."""
    with closing(open_for_reading(ledger)) as connection:
        rows = connection.execute(_SEEN).fetchall()
    seen = {tag: Seen(order_id, utc(arrived), utc(visible)) for tag, order_id, arrived, visible in rows if tag}
    return Doubts(tables.column(_ATTEMPTS), tables.column(_EVENTS), seen, timedelta(seconds=settle_delay))


def grouped(rows: Sequence[Row]) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["slice"]].append(row)
    return found


def datetime_of(epoch: float) -> datetime:
    return utc(round(epoch * 1_000_000))


def _is_live(attempt: Row, before: Sequence[Row], at: float) -> bool:
    """Whether the database knew the attempt's broker order by then, and not that it had ended."""
    name, ended_at = attempt["broker_order_id"], attempt["ended_at"]
    is_known = any(name in (event["detail"].get("answer"), event["detail"].get("broker_order_id")) for event in before)
    return name is not None and is_known and (ended_at is None or ended_at > at)


def _too_much(attempts: Sequence[Row], before: Sequence[Row], claim: Row) -> Iterator[Violation]:
    """The first attempt asked for the whole slice; whatever was booked by then leaves less to ask for."""
    filled = sum(event["detail"]["quantity"] for event in before if event["kind"] == "FILL")
    asked = next(one for one in attempts if one["attempt"] == claim["detail"]["attempt"])
    if asked["quantity"] + filled > attempts[0]["quantity"]:
        what = f"attempt {asked['attempt']} for {asked['quantity']} when {filled} were booked"
        yield _violation("nothing-beside-a-known-order", asked, f"at most {attempts[0]['quantity']} shares", what)


def _violation(promise: str, attempt: Row, expected: str, found: str) -> Violation:
    named = {"order_id": attempt["order"], "slice_id": attempt["slice"]}
    return {"promise": promise, **named, "expected": expected, "found": found}
