"""Promises about orders that are amended: what was out before never becomes more than what was asked for after."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from pulse_ops.verify.facts import BrokerOrderRow, Facts
from pulse_ops.verify.violation import Violation

# From when an amendment is dated, so long may pass until it is made: what has ended by then is out no more.
_MADE_WITHIN = timedelta(seconds=15)


def amended_within_bounds(facts: Facts) -> Iterator[Violation]:
    """No total is amended to less than what is filled or live, and the last one that was asked for is the order's."""
    for order in facts.database.orders:
        told = facts.new_totals_of(order.id)
        for row in told:
            out = sum(_out_at(one, row.at) for one in _placed(facts, order.id))
            if out > row.detail["after"]:
                yield _broken(order.id, f"at least {out}, which was out at {row.at}", str(row.detail["after"]))
        for earlier, later in pairwise(told):
            if earlier.detail["after"] != later.detail["before"]:
                yield _broken(order.id, f"a change from {earlier.detail['after']}", f"from {later.detail['before']}")
        if told and told[-1].detail["after"] != order.total_quantity:
            yield _broken(order.id, f"a total of {told[-1].detail['after']}", str(order.total_quantity))


def _placed(facts: Facts, order_id: str) -> Iterator[BrokerOrderRow]:
    for one in facts.slices_of.get(order_id, ()):
        yield from (row for row in facts.broker_orders_of(one.id) if not facts.came_too_late(row))


def _out_at(row: BrokerOrderRow, at: datetime) -> int:
    """What this order at the broker had, or could still have, been filled with."""
    if row.placed_at is None or row.placed_at > at:
        return 0
    is_over = row.ended_at is not None and row.ended_at <= at + _MADE_WITHIN
    return row.filled_quantity if is_over else row.quantity


def _broken(order_id: str, expected: str, found: str) -> Violation:
    return Violation("amended-within-bounds", order_id, None, expected, found)
