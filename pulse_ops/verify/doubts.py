"""Promises about attempts in doubt: what was taken for not placed, and what is sent beside an earlier attempt."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

from pulse_ops.verify.facts import TURNED_UP, BrokerOrderRow, EventRow, Facts, PlacementRow, SliceRow
from pulse_ops.verify.placing import confirms_refusal
from pulse_ops.verify.violation import Violation

_WRITTEN_OFF = ("NOT_SENT", "REFUSED", "ABSENT")
# How far two processes' readings of the database's clock may lie apart.
_CLOCKS_APART = timedelta(seconds=0.5)


def presumed_absent_rightly(facts: Facts) -> Iterator[Violation]:
    """What was taken for not placed is not at the broker, then or later; what came too late to know of was alarmed."""
    broken = partial(Violation, "presumed-absent-rightly")
    for event in facts.database.events:
        row = facts.broker_orders.get(str(event.detail.get("broker_order_id")))
        is_excused = row is not None and facts.came_too_late(row)
        if event.kind == "ALARM" and event.alarm == TURNED_UP and not is_excused:
            what = str(event.detail.get("alarm"))
            yield broken(event.order_id, event.slice_id, "written off only what is not at the broker", what)
    for tag, placement in facts.placements.items():
        if placement.outcome in _WRITTEN_OFF:
            order_id = facts.slices[placement.slice_id].order_id
            for row in facts.broker_orders_by_tag.get(tag, ()):
                if (expected := _wrongly_written_off(facts, placement, row)) is not None:
                    yield broken(order_id, placement.slice_id, expected, row.order_id)


def nothing_sent_beside_a_known_attempt(facts: Facts) -> Iterator[Violation]:
    """Nothing is claimed while an earlier attempt is known to be live or in doubt, nor for shares known to be filled.

    What was known at a claim is what the slice's events before it say: they are numbered under the slice's lock.
    """
    for one in facts.database.slices:
        quantity, filled = _first_quantity(facts, one), 0
        events = facts.events_of.get(one.id, ())
        for number, event in enumerate(events):
            quantity = int(event.detail.get("lowered_to", quantity))
            filled = int(event.detail.get("filled_quantity", filled)) if event.kind == "FILL" else filled
            claimed = facts.placements.get(str(event.detail.get("client_order_id")))
            if event.kind == "MOVE" and event.to_status == "SENDING" and claimed is not None:
                yield from _too_much(one, claimed, quantity, filled)
                yield from _beside(facts, one, claimed, events[number:])


def _wrongly_written_off(facts: Facts, placement: PlacementRow, row: BrokerOrderRow) -> str | None:
    came_to_nothing = placement.client_order_id in facts.settled and not row.is_live and row.filled_quantity == 0
    if came_to_nothing or confirms_refusal(placement, row):
        return None
    if not facts.came_too_late(row):
        return f"no broker order: {placement.outcome}"
    shown_at = row.visible_at or row.placed_at
    is_news = shown_at is not None and shown_at >= facts.settled_before
    return None if is_news or row.order_id in facts.turned_up else "an alarm about an order that turned up"


def _too_much(one: SliceRow, claimed: PlacementRow, quantity: int, filled: int) -> Iterator[Violation]:
    if claimed.quantity > quantity - filled:
        expected = f"at most {quantity - filled} shares asked for, as {filled} of {quantity} were known to be filled"
        what = f"{claimed.client_order_id} for {claimed.quantity}"
        yield Violation("nothing-sent-beside-a-known-attempt", one.order_id, one.id, expected, what)


def _beside(
    facts: Facts, one: SliceRow, claimed: PlacementRow, from_then_on: Sequence[EventRow]
) -> Iterator[Violation]:
    broken = partial(Violation, "nothing-sent-beside-a-known-attempt", one.order_id, one.id)
    heard_of_later = {event.detail.get("broker_order_id") for event in from_then_on if event.alarm == TURNED_UP}
    for earlier in facts.placements_of.get(one.id, ()):
        if earlier.attempt >= claimed.attempt or (earlier.broker_order_id or "") in heard_of_later:
            continue
        what = f"{claimed.client_order_id} was claimed at {claimed.claimed_at}"
        if earlier.outcome in (None, "UNKNOWN"):
            yield broken(f"nothing beside {earlier.client_order_id}, whose outcome is not known", what)
        elif earlier.outcome == "ACKNOWLEDGED" and not _had_ended(earlier, claimed):
            yield broken(f"nothing beside {earlier.client_order_id}, which ended at {earlier.ended_at}", what)


def _had_ended(earlier: PlacementRow, claimed: PlacementRow) -> bool:
    return earlier.ended_at is not None and earlier.ended_at <= claimed.claimed_at + _CLOCKS_APART


def _first_quantity(facts: Facts, one: SliceRow) -> int:
    lowered = facts.lowered(one.id)
    return int(lowered[0].detail["lowered_from"]) if lowered else one.quantity
