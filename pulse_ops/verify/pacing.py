"""Promises about the pace of an order: being late, held or retried makes no order a burst."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from pulse_ops.verify.facts import Facts, OrderRow, PlacementRow, SliceRow
from pulse_ops.verify.violation import Violation

# A claim may come late by a quarter of an interval: of the rest of it the cap is kept to the share.
_KEPT_OF_INTERVAL = 0.75
# Of a plan with a seed two slices may lie in one interval, and a slice has a fifth more than the average at most.
_AT_RANDOM, _LARGEST_AT_RANDOM = 2, (6, 5)
# These attempts came to nothing.
_NOTHING_SENT = ("REFUSED", "NOT_SENT", "ABSENT")
# What nobody could foresee was sent beside what was known.
_EXCUSES = ("TURNED_UP", "LOST_CLAIM", "DUPLICATE_ORDERS")
# Where its market closes in between, an order's slices lie further apart than its interval.
_GAP = 1.75


def no_bursts(facts: Facts) -> Iterator[Violation]:
    """In no interval goes out more of an order than `max_slice_multiple` times what is planned for one.

    One that was amended has had several plans.
    """
    for order in facts.database.orders:
        slices = facts.slices_of.get(order.id, ())
        interval = _interval(order, slices)
        if interval is None or _is_excused(facts, slices) or facts.is_replanned_by_hand(order.id):
            continue
        cap, kept = _cap(order), interval * _KEPT_OF_INTERVAL
        sent = sorted(_sent(facts, slices), key=lambda one: one.claimed_at)
        for last, one in enumerate(sent):
            recent = [other for other in sent[: last + 1] if one.claimed_at - other.claimed_at < kept]
            units = sum(_units(facts, other) for other in recent)
            if units > cap and len(recent) > 1:
                what = f"{units} in {len(recent)} slices within {kept} until {one.claimed_at}"
                yield Violation("no-bursts", order.id, one.slice_id, f"no more than {cap} in an interval", what)


def _sent(facts: Facts, slices: Sequence[SliceRow]) -> Iterator[PlacementRow]:
    for one in slices:
        for placement in facts.placements_of.get(one.id, ()):
            if placement.outcome not in _NOTHING_SENT and _units(facts, placement):
                yield placement


def _units(facts: Facts, placement: PlacementRow) -> int:
    """What of an attempt has gone out: of one that the broker has rejected only what was filled before."""
    row = facts.broker_orders.get(placement.broker_order_id or "")
    return row.filled_quantity if row is not None and row.status == "REJECTED" else placement.quantity


def _interval(order: OrderRow, slices: Sequence[SliceRow]) -> timedelta | None:
    """Between two slices of the plan; None for an order without one, or whose market closed in between."""
    planned = [one.scheduled_at for one in slices if one.sequence_number <= order.num_splits]
    if order.max_slice_multiple is None or len(planned) != order.num_splits:
        return None
    interval = (planned[-1] - planned[0]) / (len(planned) - 1)
    widest = max(later - earlier for earlier, later in pairwise(planned))
    return interval if widest <= interval * _GAP else None


def _cap(order: OrderRow) -> int:
    multiple = order.max_slice_multiple or 1
    lots = order.total_quantity // order.lot_size
    largest = -(-lots // order.num_splits)
    if order.is_randomized:
        more, base = _LARGEST_AT_RANDOM
        multiple, largest = max(multiple, _AT_RANDOM), max(more * lots // (base * order.num_splits), largest)
    return largest * order.lot_size * multiple


def _is_excused(facts: Facts, slices: Sequence[SliceRow]) -> bool:
    return any(row.alarm in _EXCUSES for one in slices for row in facts.events_of.get(one.id, ()))
