"""Promises about the course of things: legal, complete, the same on both sides, and never stuck."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from pulse_ops.verify.facts import BrokerOrderRow, EventRow, Facts, OrderRow, SliceRow
from pulse_ops.verify.violation import Violation

# As docs/design.md states them: an own copy, so that a wrong change of the code's table is seen.
_SLICE_MOVES: Mapping[str, str] = {
    "SCHEDULED": "SENDING UNKNOWN SKIPPED CANCELLED",
    "SENDING": "WORKING REJECTED FAILED SCHEDULED UNKNOWN",
    "UNKNOWN": "WORKING SCHEDULED FAILED REJECTED FILLED EXPIRED",
    "WORKING": "FILLED CANCELLED REJECTED EXPIRED",
    "REJECTED": "SCHEDULED",
    "FAILED": "SCHEDULED",
}
_ORDER_MOVES: Mapping[str, str] = {
    "": "PENDING",
    "PENDING": "IN_PROGRESS SKIPPED CANCELLED",
    "IN_PROGRESS": "PAUSED CANCELLING DONE",
    "PAUSED": "IN_PROGRESS CANCELLING DONE",
    "CANCELLING": "CANCELLED",
    "DONE": "IN_PROGRESS",
}
# A claim that began before a hold may be recorded after it.
_UNDER_WAY = timedelta(seconds=5)
# The move of such a claim was lost with it.
_LOST_CLAIM = "LOST_CLAIM"
_FINAL_SLICES = frozenset({"FILLED", "CANCELLED", "REJECTED", "EXPIRED", "FAILED", "SKIPPED"})
_FINAL_ORDERS = frozenset({"DONE", "CANCELLED", "SKIPPED"})
# Alarms that hand an attempt to the operators, who alone can end it.
_OPERATORS_CASES = ("DAY_OVER", "LEFT_TO_OPERATORS")
_SAME_AT_BROKER: Mapping[str, str] = {
    "FILLED": "COMPLETE",
    "CANCELLED": "CANCELLED",
    "EXPIRED": "CANCELLED",
    "REJECTED": "REJECTED",
}


def legal_history(facts: Facts) -> Iterator[Violation]:
    """Every move is one of the table, starts where the last one ended, and the last one led to the present status."""
    broken = partial(Violation, "legal-history")
    found_again = Counter(event.slice_id for event in facts.database.events if event.alarm == _LOST_CLAIM)
    for order in facts.database.orders:
        fault = _fault(facts.moves_of.get(order.id, ()), "", order.status, _ORDER_MOVES)
        if fault:
            yield broken(order.id, None, *fault)
    for one in facts.database.slices:
        moves = facts.moves_of.get(one.id, ())
        fault = _fault(moves, "SCHEDULED", one.status, _SLICE_MOVES)
        if fault:
            yield broken(one.order_id, one.id, *fault)
        claims = sum(move.to_status == "SENDING" for move in moves) + found_again[one.id]
        if claims != one.attempts:
            yield broken(one.order_id, one.id, f"{one.attempts} claims for as many attempts", f"{claims} claims")


def statuses_agree(facts: Facts) -> Iterator[Violation]:
    """What a slice says of its end is what the broker says, and results follow from quantities."""
    for one in facts.database.slices:
        row = _broker_order(facts, one)
        is_in_books = row is not None or (one.broker_order_id is None and one.client_order_id not in facts.settled)
        if is_in_books and (fault := _disagreement(facts, one, row)):
            yield Violation("statuses-agree", one.order_id, one.id, *fault)
    for order in facts.database.orders:
        expected = _result(order)
        if order.result != expected:
            yield Violation("statuses-agree", order.id, None, f"result {expected}", f"result {order.result}")


def nothing_sent_while_held(facts: Facts) -> Iterator[Violation]:
    """No slice of an order is claimed while it is held, beyond the moment that a claim under way may take."""
    for order in facts.database.orders:
        # Halts come and go beside whatever else holds the order.
        holds: dict[str, datetime] = {}
        for event in facts.events_of_order.get(order.id, ()):
            if event.kind == "HELD":
                holds[event.detail.get("halt_id", "")] = event.at
            if event.kind == "RELEASED":
                holds.pop(event.detail.get("halt_id", ""), None)
            if event.slice_id is None and event.to_status in _FINAL_ORDERS:
                # Nobody tells it of a release: it may be retried after that.
                holds = {halt: since for halt, since in holds.items() if not halt}
            is_claim = event.kind == "MOVE" and event.slice_id is not None and event.to_status == "SENDING"
            held_since = min(holds.values(), default=None)
            if held_since is not None and is_claim and event.at > held_since + _UNDER_WAY:
                what = f"claimed at {event.at}"
                yield Violation(
                    "nothing-sent-while-held", order.id, event.slice_id, f"no claim from {held_since} on", what
                )


def nothing_forgotten(facts: Facts) -> Iterator[Violation]:
    """Everything has come to its end, or something will see to it soon."""
    broken = partial(Violation, "nothing-forgotten")
    for order in facts.database.orders:
        parts = facts.slices_of.get(order.id, ())
        if order.status in _FINAL_ORDERS:
            if any(one.status not in _FINAL_SLICES for one in parts):
                yield broken(order.id, None, f"every slice ended with {order.status}", "a slice that has not")
            continue
        since = order.created_at if order.status == "PENDING" else order.updated_at
        is_over = order.status == "PENDING" or all(one.status in _FINAL_SLICES for one in parts)
        if facts.is_final or (is_over and since < facts.settled_before):
            yield broken(order.id, None, "an end", f"{order.status} since {since}")
    for one in facts.database.slices:
        next_at = _next_step(facts, one)
        if next_at is not None and (facts.is_final or not _is_soon(facts, one, next_at)):
            yield broken(one.order_id, one.id, "an end, or a next step soon", f"{one.status}, next step at {next_at}")
    yield from _live_at_broker(facts)


def _fault(moves: Sequence[EventRow], first: str, present: str, table: Mapping[str, str]) -> tuple[str, str] | None:
    status = first
    for move in moves:
        seen = move.from_status or ""
        if seen != status:
            return f"a move from {status}", f"{seen} -> {move.to_status}"
        if (move.to_status or "") not in table.get(seen, "").split():
            return f"from {seen} to one of {table.get(seen) or 'none'}", f"{seen} -> {move.to_status}"
        status = move.to_status or ""
    return None if status == present else (f"{status}, where its moves led", present)


def _disagreement(facts: Facts, one: SliceRow, row: BrokerOrderRow | None) -> tuple[str, str] | None:
    if row is None:
        is_sent = one.status in ("FILLED", "EXPIRED", "WORKING")
        return (f"a broker order for {one.status}", "none") if is_sent else None
    if row.tag != one.client_order_id:
        return f"tag {one.client_order_id} on {row.order_id}", str(row.tag)
    ended_unseen = row.order_id in facts.unseen_ends or one.client_order_id in facts.settled
    if one.status == "EXPIRED" and ended_unseen and not row.is_live:
        return None
    is_other = one.status in _SAME_AT_BROKER and row.status != _SAME_AT_BROKER[one.status]
    if is_other and not (_was_unsent_at_its_end(facts, one) and not row.is_live):
        return f"{_SAME_AT_BROKER[one.status]} at the broker for {one.status}", row.status
    if one.status == "FILLED" and one.filled_quantity < one.quantity:
        return f"{one.quantity} filled", str(one.filled_quantity)
    ended_unnoticed = one.status == "WORKING" and row.ended_at is not None and row.ended_at < facts.settled_before
    return (f"the end of {row.order_id}: {row.status}", "WORKING") if ended_unnoticed else None


def _was_unsent_at_its_end(facts: Facts, one: SliceRow) -> bool:
    """Whether it waited to be sent again when it was cancelled: its order at the broker is an earlier one."""
    moves = facts.moves_of.get(one.id, ())
    return one.status == "CANCELLED" and bool(moves) and moves[-1].from_status == "SCHEDULED"


def _result(order: OrderRow) -> str | None:
    if order.status not in _FINAL_ORDERS:
        return None
    if order.filled_quantity >= order.total_quantity:
        return "FILLED"
    return "PARTIALLY_FILLED" if order.filled_quantity else "UNFILLED"


def _next_step(facts: Facts, one: SliceRow) -> datetime | None:
    order = facts.orders[one.order_id]
    if one.status == "SCHEDULED" and (order.status == "PAUSED" or order.is_held):
        return None
    steps = {
        "SCHEDULED": one.due_at,
        "SENDING": one.lease_expires_at,
        "UNKNOWN": one.resolve_at,
        "WORKING": one.deadline_at,
    }
    return steps.get(one.status)


def _is_soon(facts: Facts, one: SliceRow, next_at: datetime) -> bool:
    if one.status == "UNKNOWN" and _is_operators_case(facts, one):
        return True
    # What was planned anew goes out inside its order's window.
    ends_at = facts.orders[one.order_id].end_at or one.scheduled_at
    latest = max(facts.database.read_at, one.scheduled_at, ends_at) + facts.grace
    return facts.settled_before <= next_at <= latest


def _is_operators_case(facts: Facts, one: SliceRow) -> bool:
    return any(
        event.alarm in _OPERATORS_CASES and event.detail.get("client_order_id") == one.client_order_id
        for event in facts.events_of.get(one.id, ())
    )


def _broker_order(facts: Facts, one: SliceRow) -> BrokerOrderRow | None:
    """The order that the slice names; an attempt that was settled may never have learnt its name."""
    if one.broker_order_id is None and one.client_order_id in facts.settled:
        found = facts.broker_orders_by_tag.get(one.client_order_id or "", ())
        return found[0] if found else None
    return facts.broker_orders.get(one.broker_order_id or "")


def _live_at_broker(facts: Facts) -> Iterator[Violation]:
    for row in facts.books.orders:
        placement = facts.placements.get(row.tag or "")
        if placement is None or not row.is_live or _is_just_showing(facts, row):
            continue
        one = facts.slices[placement.slice_id]
        if one.status in _FINAL_SLICES:
            what = f"{row.order_id} is {row.status}, the slice {one.status}"
            yield Violation("nothing-forgotten", one.order_id, one.id, "no live order of an ended slice", what)


def _is_just_showing(facts: Facts, row: BrokerOrderRow) -> bool:
    shown_at = row.visible_at or row.placed_at
    return facts.came_too_late(row) and shown_at is not None and shown_at >= facts.settled_before
