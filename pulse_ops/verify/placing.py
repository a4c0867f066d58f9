"""Promises about what reached the broker: once, in time, known, and never too much."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

from pulse_ops.verify.facts import BrokerOrderRow, EventRow, Facts, PlacementRow, SliceRow, grouped
from pulse_ops.verify.violation import Violation

# Twenty characters of A-Z and 0-9: nobody else's tags look like that.
_OUR_TAG = re.compile(r"[A-Z0-9]{20}")
# A request that is under way when a halt is made may still arrive.
_UNTIL_HALTED = timedelta(seconds=1)
_ENDED_ORDERS = ("CANCELLED", "SKIPPED", "DONE")


def one_live_order(facts: Facts) -> Iterator[Violation]:
    """No two orders of one slice are live at the broker at one moment."""
    broken = partial(Violation, "one-live-order")
    for one in facts.database.slices:
        found = _foreseeable(facts, one)
        live = [row.order_id for row in found if row.is_live]
        if len(live) > 1:
            yield broken(one.order_id, one.id, "at most one live order at the broker", f"{', '.join(live)} are live")
        timed = sorted((row.placed_at, row) for row in found if row.placed_at) if _have_instants(found) else []
        for (_, earlier), (placed_at, later) in pairwise(timed):
            if earlier.ended_at is None or earlier.ended_at > placed_at:
                what = f"{later.order_id} was accepted at {placed_at}, {earlier.order_id} ended at {earlier.ended_at}"
                yield broken(one.order_id, one.id, "an order ends before the next one is accepted", what)


def never_over_quantity(facts: Facts) -> Iterator[Violation]:
    """When an order is accepted, it and what the slice's other orders had filled fit into the slice."""
    broken = partial(Violation, "never-over-quantity")
    for one in facts.database.slices:
        found = _foreseeable(facts, one)
        for row in found:
            filled = sum(_filled_before(facts, other, row) for other in found if other is not row)
            asked = _quantity_at(facts, one, row.placed_at)
            if filled + row.quantity > asked:
                what = f"{row.order_id} for {row.quantity} was accepted when {filled} were filled"
                yield broken(one.order_id, one.id, f"no more than {asked} shares", what)
        taken = sum(row.quantity if row.is_live else row.filled_quantity for row in found)
        if taken > one.quantity:
            yield broken(one.order_id, one.id, f"no more than {one.quantity} shares", f"{taken} filled or live")


def sent_once(facts: Facts) -> Iterator[Violation]:
    """Every attempt has a client order id of its own, which reaches the broker once at most."""
    broken = partial(Violation, "sent-once")
    requests = grouped((row for row in facts.books.arrivals if row.tag), lambda row: row.tag or "")
    for tag, placement in facts.placements.items():
        one = facts.slices[placement.slice_id]
        if len(requests.get(tag, ())) > 1:
            yield broken(one.order_id, one.id, f"one request with {tag}", f"{len(requests[tag])} requests")
        if len(facts.broker_orders_by_tag.get(tag, ())) > 1:
            found = ", ".join(row.order_id for row in facts.broker_orders_by_tag[tag])
            yield broken(one.order_id, one.id, f"one broker order with {tag}", found)
    for one in facts.database.slices:
        attempts = [placement.attempt for placement in facts.placements_of.get(one.id, ())]
        if attempts != list(range(1, one.attempts + 1)):
            yield broken(one.order_id, one.id, f"attempts 1 to {one.attempts}", f"attempts {attempts} were recorded")


def placed_at_its_broker(facts: Facts) -> Iterator[Violation]:
    """Every attempt to place a slice went to the broker that its order names."""
    for placement in facts.database.placements:
        one = facts.slices[placement.slice_id]
        expected = facts.orders[one.order_id].broker
        if placement.broker != expected:
            what = f"{placement.client_order_id} at {placement.broker}"
            yield Violation("placed-at-its-broker", one.order_id, one.id, f"placed at {expected}", what)


def every_broker_order_known(facts: Facts) -> Iterator[Violation]:
    """Every order at the broker with a tag of ours belongs to a recorded attempt, with the same id and quantity."""
    broken = partial(Violation, "every-broker-order-known")
    for row in facts.books.orders:
        placement = facts.placements.get(row.tag or "")
        if placement is not None:
            yield from _check_acknowledged(facts, placement, row)
        elif row.tag and _OUR_TAG.fullmatch(row.tag) and _is_older_than_snapshot(facts, row):
            yield broken(None, None, "a recorded attempt for every order with our tag", f"{row.order_id} ({row.tag})")


def never_early(facts: Facts) -> Iterator[Violation]:
    """No slice reaches the broker before its time, but one of an order that was forgotten, and has another time now."""
    for slice_, at in _sendings(facts):
        if at < slice_.scheduled_at and slice_.id not in facts.lost:
            expected = f"not before {slice_.scheduled_at}"
            yield Violation("never-early", slice_.order_id, slice_.id, expected, f"sent at {at}")


def nothing_under_a_halt(facts: Facts) -> Iterator[Violation]:
    """From a second after a halt until its release nothing that it covers reaches the broker."""
    for halt in facts.database.halts:
        begins = halt.made_at + _UNTIL_HALTED
        for slice_, at in _arrivals(facts):
            is_in_force = at > begins and (halt.released_at is None or at < halt.released_at)
            if is_in_force and halt.covers(facts.orders[slice_.order_id]):
                expected = f"nothing sent from {begins} until the release of {halt.id}"
                yield Violation("nothing-under-a-halt", slice_.order_id, slice_.id, expected, f"arrived at {at}")


def nothing_after_the_end(facts: Facts) -> Iterator[Violation]:
    """No slice is claimed once its order has ended: events are numbered in the order in which they were decided."""
    ended: dict[str, EventRow] = {}
    for event in facts.database.events:
        if event.kind == "MOVE" and event.slice_id is None:
            ended.pop(event.order_id, None)
            if event.to_status in _ENDED_ORDERS:
                ended[event.order_id] = event
        elif event.to_status == "SENDING" and event.order_id in ended:
            what = f"nothing sent after the order was {ended[event.order_id].to_status}"
            yield Violation("nothing-after-the-end", event.order_id, event.slice_id, what, f"claimed at {event.at}")


def _sendings(facts: Facts) -> Iterator[tuple[SliceRow, datetime]]:
    for placement in facts.database.placements:
        yield facts.slices[placement.slice_id], placement.claimed_at
    yield from _arrivals(facts)


def _arrivals(facts: Facts) -> Iterator[tuple[SliceRow, datetime]]:
    for arrival in facts.books.arrivals:
        found = facts.placements.get(arrival.tag or "")
        if found is not None:
            yield facts.slices[found.slice_id], arrival.arrived_at


def _check_acknowledged(facts: Facts, placement: PlacementRow, row: BrokerOrderRow) -> Iterator[Violation]:
    broken = partial(
        Violation, "every-broker-order-known", facts.slices[placement.slice_id].order_id, placement.slice_id
    )
    if row.quantity != placement.quantity:
        yield broken(f"{placement.quantity} shares asked for", f"{row.order_id} for {row.quantity}")
    if placement.broker_order_id not in (None, row.order_id):
        yield broken(f"{placement.broker_order_id} for {row.tag}", row.order_id)
    is_named = placement.broker_order_id is not None or placement.client_order_id in facts.settled
    if facts.is_final and not is_named and not confirms_refusal(placement, row):
        yield broken(f"{row.order_id} recorded with its attempt", "the attempt names no broker order")


def confirms_refusal(placement: PlacementRow, row: BrokerOrderRow) -> bool:
    """Whether the order that the broker refused stands in its book as just that."""
    return placement.outcome == "REFUSED" and row.status == "REJECTED" and row.filled_quantity == 0


def _foreseeable(facts: Facts, one: SliceRow) -> list[BrokerOrderRow]:
    return [row for row in facts.broker_orders_of(one.id) if not facts.came_too_late(row)]


def _quantity_at(facts: Facts, one: SliceRow, at: datetime | None) -> int:
    """What the slice asked for at an instant, before it was lowered."""
    later = [row.detail["lowered_from"] for row in facts.lowered(one.id) if at is None or row.at > at]
    return int(later[0]) if later else one.quantity


def _filled_before(facts: Facts, other: BrokerOrderRow, row: BrokerOrderRow) -> int:
    if row.placed_at is None:
        return 0
    trades = facts.trades_of.get(other.order_id, ())
    return sum(trade.quantity for trade in trades if trade.traded_at < row.placed_at)


def _have_instants(rows: list[BrokerOrderRow]) -> bool:
    return all(row.placed_at for row in rows)


def _is_older_than_snapshot(facts: Facts, row: BrokerOrderRow) -> bool:
    return row.placed_at is not None and row.placed_at < facts.database.read_at
