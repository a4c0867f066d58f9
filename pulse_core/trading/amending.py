"""Plan anew what is unsent of an order that is amended: as much of it as the new total leaves, in the new window.

From the plan before and after, the history and the time alone. The slices that were never claimed share what is left in
proportion to what they had, and keep their places in the rest of the window; what was claimed stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate

from api_contract.vocabulary import AtEnd, CatchUp, Leftover
from pulse_core.trading.catching_up import Rescheduled, Schedule, reschedule
from pulse_core.trading.order_plan import History, Plan, Policy, Unsent
from pulse_core.trading.schedule import Sizes


@dataclass(frozen=True)
class Amended:
    """The unsent slices as they are to be; `ended` are the numbers of those that nothing is left for.

    `lost` are units that find no room in the window within the cap, and would have without the amendment.
    """

    slices: Sequence[Rescheduled]
    ended: Sequence[int]
    lost: int


def least_total(history: History, lot_size: int) -> int:
    """The least total, in whole lots, that an order can have of which so much was claimed."""
    return max(-(-_claimed(history) // lot_size), 1) * lot_size


def amend(before: Plan, after: Plan, history: History, now: datetime, policy: Policy) -> Amended:
    """A new schedule for what is unsent. The new total is at least `least_total`.

    A larger total adds to what is unsent, a smaller one takes from it as far as it has to. What slices that have ended
    left unfilled comes back by itself.
    """
    stretched = [_stretched(before, after, one, now) for one in history.unsent]
    free = [one for one in stretched if not one.was_claimed]
    unsent = sum(one.quantity for one in free)
    more = max(after.total_quantity - before.total_quantity, 0)
    room = min(unsent + more, after.total_quantity - _claimed(history))
    whole = room // after.sizes.lot_size * after.sizes.lot_size
    shared = _shared(free, whole, after.sizes)
    kept = [*(one for one in stretched if one.was_claimed), *(one for one in shared if one.quantity)]
    new = replace(history, unsent=kept, ended_rest=whole - sum(one.quantity for one in shared))
    # Who amends an order gives up nothing of it by that; its last slice comes when what is at the broker has ended.
    catch_up = _never_skipping(policy.catch_up)
    asked = replace(policy, leftover=Leftover.CATCH_UP, catch_up=catch_up, at_end=AtEnd.LEAVE)
    planned = reschedule(after, new, now, asked)
    lost_anyhow = reschedule(before, replace(history, ended_rest=0), now, asked).quantity_not_fitting
    return Amended(
        [*planned.slices, *_without_place(kept, planned, after.slice_cap(asked))],
        [one.sequence_number for one in shared if not one.quantity],
        max(planned.quantity_not_fitting - lost_anyhow, 0),
    )


def _claimed(history: History) -> int:
    """What the new total cannot take back: filled, at the broker, or claimed before and unsent again."""
    again = sum(one.quantity for one in history.unsent if one.was_claimed)
    return history.filled + history.working + history.unknown + again


def _shared(unsent: Sequence[Unsent], room: int, sizes: Sizes) -> list[Unsent]:
    """So much shared out in whole lots, in proportion to what the slices had."""
    whole = sum(one.quantity for one in unsent)
    lots = room // sizes.lot_size
    until = [lots * passed // whole for passed in accumulate(one.quantity for one in unsent)]
    shares = (upper - lower for lower, upper in zip([0, *until], until, strict=False))
    return [replace(one, quantity=share * sizes.lot_size) for one, share in zip(unsent, shares, strict=True)]


def _without_place(unsent: Sequence[Unsent], planned: Schedule, slice_cap: int) -> list[Rescheduled]:
    """What finds no place keeps its time, with what it has left: it is late, and catches up as it would have anyhow."""
    placed = {one.sequence_number for one in planned.slices}
    return [
        Rescheduled(one.sequence_number, one.quantity if one.was_claimed else min(one.quantity, slice_cap), one.due_at)
        for one in unsent
        if one.sequence_number not in placed
    ]


def _stretched(before: Plan, after: Plan, one: Unsent, now: datetime) -> Unsent:
    """Where its time is in the rest of the window, if that has become longer or shorter."""
    passed, due = before.time.passed(now), before.time.passed(one.due_at)
    rest, new_rest = before.time.passed(before.end_at) - passed, after.time.passed(after.end_at) - passed
    if due <= passed or rest == new_rest or not after.time.stretches or rest.total_seconds() <= 0:
        return one
    return replace(one, due_at=max(after.time.at(passed + (due - passed) * (new_rest / rest)), now))


def _never_skipping(catch_up: CatchUp) -> CatchUp:
    return CatchUp.SPREAD if catch_up is CatchUp.SKIP else catch_up
