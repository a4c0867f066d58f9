"""Plan anew what is unsent of an order: what it has missed goes into the rest of its window, by its policy.

From the order's plan, its history, its policy and the time alone. What is still to come keeps its time as far as the
cap allows, nothing goes out before the time it was planned for, and what does not fit is named.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate, count, takewhile

from api_contract.vocabulary import AtEnd, CatchUp, Leftover, NotFittingReason
from pulse_core.trading.order_plan import History, Plan, Policy, Unsent
from pulse_core.trading.schedule import Sizes

# Instants of trading time are computed, and may be a little off.
A_TRIFLE = timedelta(milliseconds=1)
# What was sent may have been late by so much of an interval, and holds up nothing that was planned after it.
LATENESS = 0.25
# More slices than this no order gets, however often parts of it come back.
MOST_SLICES = 2000


@dataclass(frozen=True)
class Rescheduled:
    """An unsent slice as it is to be from now on; `is_last`: at market, at the end of the window."""

    sequence_number: int
    quantity: int
    due_at: datetime
    is_new: bool = False
    is_last: bool = False


@dataclass(frozen=True)
class NotFitting:
    """How many units are not sent any more, and why."""

    quantity: int
    reason: NotFittingReason


@dataclass(frozen=True)
class Schedule:
    """The unsent slices as they are to be, new ones last; `ended` are the numbers of those that are not to be sent.

    The slices and what is not fitting add up to what was unsent and what came back, as far as the total allows.
    `end_at` is the end of the window, later than the plan's where it has to be.
    """

    slices: Sequence[Rescheduled]
    ended: Sequence[int]
    not_fitting: Sequence[NotFitting]
    end_at: datetime

    @property
    def quantity(self) -> int:
        return sum(one.quantity for one in self.slices)

    @property
    def quantity_not_fitting(self) -> int:
        return sum(one.quantity for one in self.not_fitting)


@dataclass(frozen=True)
class _Piece:
    """So many units of a slice that want to go out at an instant of trading time; without a number the slice is new.

    One that keeps its time is due at `due_at`.
    """

    quantity: int
    wanted: datetime
    number: int | None = None
    due_at: datetime | None = None


@dataclass(frozen=True)
class _Placement:
    """Which pieces go out, each at an instant of trading time, and which find no room."""

    placed: Sequence[tuple[_Piece, datetime]]
    unplaced: Sequence[_Piece]


class _Clock:
    """The order's instants on a clock that stands still while its market takes nothing."""

    def __init__(self, plan: Plan, now: datetime) -> None:
        self._plan, self.real_now = plan, now
        self.now, self.end = self.passed(now), self.passed(plan.end_at)
        self.latest = plan.start_at + plan.time.length

    def passed(self, instant: datetime) -> datetime:
        return self._plan.start_at + self._plan.time.passed(instant)

    def at(self, instant: datetime) -> datetime:
        time = self._plan.time
        return time.runs_from(max(time.at(instant - self._plan.start_at), self.real_now))


def reschedule(
    plan: Plan,
    history: History,
    now: datetime,
    policy: Policy,
    just_due: timedelta = timedelta(0),
    grace: timedelta = timedelta(0),
) -> Schedule:
    """A new schedule for what is unsent of an order, and for what comes back.

    What came due within `just_due` is on its way out, and counts as still to come. A slice of the plan for which the
    cap leaves no room in the window goes out within `grace` after it, a rest that comes back does not.
    """
    kept, surplus = _within_total(plan, history, policy)
    if not plan.time.stretches:
        as_planned = [Rescheduled(one.sequence_number, one.quantity, one.due_at) for one in kept]
        return _whole(plan, history, as_planned, [NotFitting(surplus, NotFittingReason.NO_ROOM)])
    clock = _Clock(plan, now)
    rest, lost = _returning(plan, history, surplus, policy)
    late = [_Piece(one.quantity, clock.now, one.sequence_number) for one in kept if one.due_at <= now - just_due]
    chunks = _chunks(plan, rest, policy)
    most_new = max(MOST_SLICES + 1 - history.next_number, 0)
    lost.append(NotFitting(sum(chunks[most_new:]), NotFittingReason.TOO_MANY_SLICES))
    late += [_Piece(quantity, clock.now) for quantity in chunks[:most_new]]
    to_come = [
        _Piece(one.quantity, max(clock.passed(one.due_at), clock.now), one.sequence_number, one.due_at)
        for one in kept
        if one.due_at > now - just_due
    ]
    if policy.catch_up is CatchUp.SKIP:
        lost.append(NotFitting(_units(late), NotFittingReason.SKIPPED))
        late = []
    if clock.now >= clock.latest and policy.at_end is AtEnd.MARKET and not history.has_last_slice:
        return _with_last_slice(plan, history, policy, clock, [*late, *to_come], lost)
    found = _best(plan, history, policy, clock, late, to_come, grace)
    reason = NotFittingReason.WINDOW_OVER if clock.now > clock.latest else NotFittingReason.NO_ROOM
    lost.append(NotFitting(_units(found.unplaced), reason))
    return _numbered(plan, history, clock, found, lost)


def _within_total(plan: Plan, history: History, policy: Policy) -> tuple[list[Unsent], int]:
    """The unsent slices, lowered to what the total and the cap allow, and how many units the cap took from them."""
    room = plan.total_quantity - history.filled - history.working - history.unknown
    fixed = sum(one.quantity for one in history.unsent if one.was_claimed)
    lowered = _lowered([one for one in history.unsent if not one.was_claimed], max(room - fixed, 0), plan.sizes)
    cap = plan.slice_cap(policy)
    capped = [replace(one, quantity=min(one.quantity, cap)) for one in lowered]
    surplus = sum(one.quantity for one in lowered) - sum(one.quantity for one in capped)
    kept = [*(one for one in history.unsent if one.was_claimed), *(one for one in capped if one.quantity)]
    return sorted(kept, key=lambda one: (one.due_at, one.sequence_number)), surplus


def _lowered(unsent: Sequence[Unsent], room: int, sizes: Sizes) -> list[Unsent]:
    """These slices as they are where there is room for them, else each lowered in proportion, in whole lots."""
    whole = sum(one.quantity for one in unsent)
    if whole <= room:
        return list(unsent)
    lots = room // sizes.lot_size
    until = [lots * passed // whole for passed in accumulate(one.quantity for one in unsent)]
    shares = (upper - lower for lower, upper in zip([0, *until], until, strict=False))
    return [replace(one, quantity=share * sizes.lot_size) for one, share in zip(unsent, shares, strict=True)]


def _returning(plan: Plan, history: History, surplus: int, policy: Policy) -> tuple[int, list[NotFitting]]:
    """How many units come back, in whole lots, and what is lost of them."""
    used = history.filled + history.working + history.unknown + sum(one.quantity for one in history.unsent)
    back = min(history.ended_rest, max(plan.total_quantity - used, 0))
    if policy.leftover is Leftover.DROP:
        return surplus, [NotFitting(back, NotFittingReason.DROPPED)]
    odd = (back + surplus) % plan.sizes.lot_size
    return back + surplus - odd, [NotFitting(odd, NotFittingReason.ODD_LOT)]


def _chunks(plan: Plan, units: int, policy: Policy) -> list[int]:
    """So many units in slices as large as the plan's."""
    most = min(plan.most_of_slice, plan.slice_cap(policy))
    return [min(most, units - start) for start in range(0, units, most)]


def _best(
    plan: Plan,
    history: History,
    policy: Policy,
    clock: _Clock,
    late: Sequence[_Piece],
    to_come: Sequence[_Piece],
    grace: timedelta,
) -> _Placement:
    """At the pace of the policy; where that would lose something, as early, and then as late, as the cap allows."""
    latest, no_grace = max(clock.end, clock.latest), timedelta(0)
    tried = [
        _lay_out(plan, history, policy, clock, _paced(late, to_come, pace, clock.now, clock.end), end, after_it)
        for pace, end, after_it in (
            (policy.catch_up, clock.end, no_grace),
            (_DENSEST[policy.catch_up], clock.end, no_grace),
            (_DENSEST[policy.catch_up], latest, no_grace),
            (_DENSEST[policy.catch_up], latest, grace),
        )
    ]
    return min(tried, key=lambda one: _units(one.unplaced))


_DENSEST = {
    CatchUp.SPREAD: CatchUp.BURST,
    CatchUp.NEXT_SLICE: CatchUp.NEXT_SLICE,
    CatchUp.BURST: CatchUp.BURST,
    CatchUp.SKIP: CatchUp.SKIP,
}


def _paced(
    late: Sequence[_Piece], to_come: Sequence[_Piece], pace: CatchUp, now: datetime, end: datetime
) -> list[_Piece]:
    """All pieces in the order of the times they want."""
    first, apart = now, timedelta(0)
    if pace is CatchUp.NEXT_SLICE:
        first = min((one.wanted for one in to_come), default=now)
    if pace is CatchUp.SPREAD:
        apart = max(end - now, apart) / max(len(late), 1)
    paced = [replace(one, wanted=max(first, now) + apart * index) for index, one in enumerate(late)]
    return sorted([*paced, *to_come], key=lambda one: one.wanted)


def _lay_out(
    plan: Plan,
    history: History,
    policy: Policy,
    clock: _Clock,
    pieces: Sequence[_Piece],
    end: datetime,
    grace: timedelta,
) -> _Placement:
    """Each piece at the time that it wants, or at the first one after it at which the cap has room for it."""
    going = _going(plan, history, policy, clock)
    placed: list[tuple[_Piece, datetime]] = []
    unplaced: list[_Piece] = []
    for piece in pieces:
        at = going.room(piece.quantity, piece.wanted)
        stays = piece.due_at is not None and at == piece.wanted
        latest = end if piece.number is None else end + grace
        if not stays and at > latest + A_TRIFLE:
            unplaced.append(piece)
            continue
        at = at if stays else min(at, latest)
        going.add(piece.quantity, at)
        placed.append((piece, at))
    return _Placement(placed, unplaced)


def _going(plan: Plan, history: History, policy: Policy, clock: _Clock) -> "_Going":
    going = _Going(plan.interval, plan.interval_cap(policy))
    for one in sorted(history.sent, key=lambda sent: sent.at):
        going.add(one.quantity, min(clock.passed(one.at), clock.now) - plan.interval * LATENESS)
    return going


class _Going:
    """What goes out, in the order of time, and when there is room for more under the cap of an interval."""

    def __init__(self, interval: timedelta, cap: int) -> None:
        self._interval, self._cap = interval, cap
        self._out: list[tuple[datetime, int]] = []

    def add(self, quantity: int, at: datetime) -> None:
        self._out.append((at, quantity))

    def room(self, quantity: int, wanted: datetime) -> datetime:
        """The first instant from `wanted` on, and not before what goes out already, with room for so many units."""
        at = max(wanted, self._out[-1][0]) if self._out else wanted
        while (recent := self._recent(at)) and quantity + sum(units for _, units in recent) > self._cap:
            at = recent[0][0] + self._interval
        return at

    def _recent(self, at: datetime) -> list[tuple[datetime, int]]:
        since = at - self._interval + A_TRIFLE
        return list(takewhile(lambda one: one[0] > since, reversed(self._out)))[::-1]

    def left(self, at: datetime) -> int:
        """How many units have room at an instant."""
        return max(self._cap - sum(units for _, units in self._recent(at)), 0)


def _with_last_slice(
    plan: Plan,
    history: History,
    policy: Policy,
    clock: _Clock,
    pieces: Sequence[_Piece],
    lost: Sequence[NotFitting],
) -> Schedule:
    """At the end of the window: one slice for all that is left, as far as the cap allows."""
    left = _units(pieces)
    cap = min(plan.slice_cap(policy), _going(plan, history, policy, clock).left(clock.now))
    quantity = min(left, cap) // plan.sizes.lot_size * plan.sizes.lot_size
    last = [Rescheduled(history.next_number, quantity, clock.real_now, is_new=True, is_last=True)] if quantity else []
    return _whole(plan, history, last, [*lost, NotFitting(left - quantity, NotFittingReason.WINDOW_OVER)])


def _numbered(plan: Plan, history: History, clock: _Clock, found: _Placement, lost: Sequence[NotFitting]) -> Schedule:
    numbers = count(history.next_number)
    slices = []
    for piece, at in sorted(found.placed, key=lambda one: one[1]):
        due_at = piece.due_at if piece.due_at is not None and at == piece.wanted else clock.at(at)
        number = next(numbers) if piece.number is None else piece.number
        slices.append(Rescheduled(number, piece.quantity, due_at, is_new=piece.number is None))
    return _whole(plan, history, slices, lost)


def _whole(plan: Plan, history: History, slices: Iterable[Rescheduled], lost: Iterable[NotFitting]) -> Schedule:
    in_sequence = sorted(slices, key=lambda one: one.sequence_number)
    numbers = {one.sequence_number for one in in_sequence}
    ended = [one.sequence_number for one in history.unsent if one.sequence_number not in numbers]
    latest = max([plan.end_at, *(end for _, end in plan.time.stretches[-1:])])
    end_at = max([plan.end_at, *(min(one.due_at, latest) for one in in_sequence if not one.is_last)])
    return Schedule(in_sequence, ended, [one for one in lost if one.quantity], end_at)


def _units(pieces: Iterable[_Piece]) -> int:
    return sum(one.quantity for one in pieces)
