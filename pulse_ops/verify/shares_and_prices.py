"""Promises about shares and paise: what is filled, working, unknown and unsent, and at which price."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import partial

from pulse_ops.verify.facts import BrokerTradeRow, Facts, FillRow, PlacementRow, SliceRow
from pulse_ops.verify.violation import Violation

_OPEN = ("SCHEDULED", "SENDING", "UNKNOWN", "WORKING")
# What these lack may be in further slices: a slice that was skipped at the end of the window is in the last one.
_LEAVING_A_REST = ("EXPIRED", "CANCELLED", "SKIPPED")


def quantities_add_up(facts: Facts) -> Iterator[Violation]:
    """filled + working + unknown + unsent is never above the order's quantity, and its plan makes it up exactly.

    A slice may have been lowered, and an order that came when nobody could expect it is beyond both. Slices after those
    of the plan have no more than what others left unfilled that have ended. What filled after the end of its slice,
    when its rest was planned already, may have been taken from the plan. The plan of an order that was amended is
    another one.
    """
    broken = partial(Violation, "quantities-add-up")
    for order in facts.database.orders:
        slices = facts.slices_of.get(order.id, ())
        at_stake = sum(_at_stake(one) for one in slices)
        most = order.total_quantity + sum(_unexpected(facts, one) for one in slices)
        if at_stake > most:
            yield broken(order.id, None, f"at most {most} shares at stake", str(at_stake))
        filled = sum(one.filled_quantity for one in slices)
        if filled != order.filled_quantity:
            yield broken(order.id, None, f"{filled} filled, as its slices", str(order.filled_quantity))
        if facts.is_replanned_by_hand(order.id):
            continue
        left = order.total_quantity - sum(_lowered_by(facts, one) for one in slices)
        planned = [one for one in slices if one.sequence_number <= order.num_splits]
        least = left - sum(_filled_late(facts, one) for one in slices)
        if slices and not least <= sum(one.quantity for one in planned) <= left:
            expected = f"slices of {left} shares" if least == left else f"slices of {least} to {left} shares"
            yield broken(order.id, None, expected, str(sum(one.quantity for one in planned)))
        numbers = [one.sequence_number for one in slices]
        if slices and (len(planned) < order.num_splits or numbers != list(range(1, len(slices) + 1))):
            yield broken(order.id, None, f"slices from 1 on, at least {order.num_splits}", f"{len(slices)} slices")
        yield from _come_back(facts, order.id, slices, order.num_splits)
    for one in facts.database.slices:
        filled = sum(fill.quantity for fill in facts.fills_of.get(one.id, ()))
        if filled != one.filled_quantity:
            yield broken(one.order_id, one.id, f"{filled} filled, as its fills", str(one.filled_quantity))


def _come_back(facts: Facts, order_id: str, slices: Sequence[SliceRow], num_splits: int) -> Iterator[Violation]:
    """A fill that comes after the end of its slice is beyond what could be known when its rest came back."""
    came_back = sum(one.quantity for one in slices if one.sequence_number > num_splits)
    # A rest that is given up is the last slice at first, and nothing has come of it.
    ended = [one for one in slices if one.status in _LEAVING_A_REST]
    ended = [one for one in ended if one.sequence_number <= num_splits or one is not slices[-1]]
    left = sum(max(one.quantity - one.filled_quantity, 0) for one in ended)
    if came_back > left and not any(_filled_late(facts, one) for one in slices):
        expected = f"slices after the plan of at most {left} shares, which others left"
        yield Violation("quantities-add-up", order_id, None, expected, str(came_back))


def fills_agree(facts: Facts) -> Iterator[Violation]:
    """Every trade of the broker is booked once with its quantity and price, and nothing else is."""
    booked = {(fill.broker_order_id, fill.broker_trade_id): fill for fill in facts.database.fills}
    traded = {(trade.order_id, trade.trade_id) for trade in facts.books.trades}
    for key, fill in booked.items():
        if fill.settled_by is None and key not in traded and fill.broker_order_id in facts.broker_orders:
            yield _wrong_fill(facts, fill.slice_id, "a trade of the broker for every fill", f"none for {key}")
    for trade in facts.books.trades:
        placement = facts.placements.get(facts.broker_orders[trade.order_id].tag or "")
        if placement is None:
            continue
        found = booked.get((trade.order_id, trade.trade_id))
        expected = f"{trade.quantity} at {trade.price} ({trade.order_id}, {trade.trade_id})"
        is_due = trade.traded_at < facts.settled_before and not _is_for_operators(facts, placement, trade)
        if found is None and is_due:
            yield _wrong_fill(facts, placement.slice_id, expected, "not booked")
        elif found is not None and (found.slice_id, found.quantity) != (placement.slice_id, trade.quantity):
            yield _wrong_fill(facts, placement.slice_id, expected, f"{found.quantity} booked on {found.slice_id}")
        elif found is not None and found.price != trade.price:
            yield _wrong_fill(facts, placement.slice_id, expected, f"booked at {found.price}")
    yield from _settled_sums(facts)


def prices_agree(facts: Facts) -> Iterator[Violation]:
    """Average prices are the exact quotient of value and quantity, rounded half up to four places."""
    broken = partial(Violation, "prices-agree")
    for one in facts.database.slices:
        expected = _average(facts.fills_of.get(one.id, ()))
        if expected != one.average_price:
            yield broken(one.order_id, one.id, str(expected), str(one.average_price))
    for order in facts.database.orders:
        slices = facts.slices_of.get(order.id, ())
        expected = _average([fill for one in slices for fill in facts.fills_of.get(one.id, ())])
        if expected != order.average_price:
            yield broken(order.id, None, str(expected), str(order.average_price))


def _at_stake(one: SliceRow) -> int:
    leaves = max(one.quantity - one.filled_quantity, 0) if one.status in _OPEN else 0
    return one.filled_quantity + leaves


def _unexpected(facts: Facts, one: SliceRow) -> int:
    late = [row for row in facts.broker_orders_of(one.id) if facts.came_too_late(row)]
    return sum(row.quantity if row.is_live else row.filled_quantity for row in late)


def _filled_late(facts: Facts, one: SliceRow) -> int:
    """How many shares of the slice filled after its end."""
    told = [row.detail for row in facts.events_of.get(one.id, ()) if row.alarm == "FILL_AFTER_END"]
    return sum(int(detail["quantity"]) for detail in told)


def _lowered_by(facts: Facts, one: SliceRow) -> int:
    return sum(row.detail["lowered_from"] - row.detail["lowered_to"] for row in facts.lowered(one.id))


def _is_for_operators(facts: Facts, placement: PlacementRow, trade: BrokerTradeRow) -> bool:
    """Whether the book that showed this trade was closed unread, so that only a person can tell of it."""
    return placement.client_order_id in facts.settled or trade.order_id in facts.unseen_ends


def _settled_sums(facts: Facts) -> Iterator[Violation]:
    """What an operator settled comes to as many shares as the broker traded; of which trades, nobody saw."""
    for tag in facts.settled:
        placement, orders = facts.placements.get(tag), facts.broker_orders_by_tag.get(tag, ())
        # The books of one day prove nothing about an order of another day.
        if placement is None or not (orders or facts.books.arrivals):
            continue
        ids = {tag, *(row.order_id for row in orders)}
        fills = facts.fills_of.get(placement.slice_id, ())
        booked = sum(fill.quantity for fill in fills if fill.broker_order_id in ids)
        traded = sum(trade.quantity for row in orders for trade in facts.trades_of.get(row.order_id, ()))
        if booked != traded:
            yield _wrong_fill(facts, placement.slice_id, f"{traded} shares of {tag} settled", str(booked))


def _average(fills: Sequence[FillRow]) -> Decimal | None:
    quantity = sum(fill.quantity for fill in fills)
    if not quantity:
        return None
    exact = sum((Fraction(fill.price) * fill.quantity for fill in fills), Fraction(0)) / quantity
    return Decimal(int(exact * 10_000 + Fraction(1, 2))).scaleb(-4)


def _wrong_fill(facts: Facts, slice_id: str, expected: str, found: str) -> Violation:
    return Violation("fills-agree", facts.slices[slice_id].order_id, slice_id, expected, found)
