"""Plan anew what is unsent of an order, in one transaction: the schedule is written, and one event says why."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.vocabulary import (
    AtEnd,
    CatchUp,
    ReplanCause,
    SliceStatus,
)
from pulse_core.errors import LostRace
from pulse_core.events.names import EventKind
from pulse_core.markets.hours import Hours
from pulse_core.trading.catching_up import NotFitting, Rescheduled, Schedule, reschedule
from pulse_core.trading.order_plan import History, Plan, Policy, Sent, Unsent
from pulse_core.trading.order_window import COMING_BACK, latest_end, planned_end
from pulse_core.trading.schedule import Sizes
from pulse_core.trading.sessions import has_waited, trading_time
from pulse_core.trading.store import events, fills, schedules, slices
from pulse_core.trading.store.schedules import AddedSlice, Retimed
from pulse_core.trading.tables import Order, OrderSlice

log = get_logger(__name__)

# The code of slices that are given up, and of rests.
NOT_FITTING = "NOT_FITTING"
# What may be live still, or is at the broker when the window is over, is looked at again so often.
LOOKED_AT_AGAIN = timedelta(seconds=2)
_AT_THE_BROKER = frozenset({SliceStatus.SCHEDULED, SliceStatus.SENDING, SliceStatus.WORKING})


def policy_of(order: Order, catch_up: CatchUp | None = None) -> Policy:
    """How an order catches up; `catch_up` instead of its own, for once."""
    return Policy(
        catch_up or order.catch_up, order.max_slice_multiple, order.extend_minutes, order.leftover, order.at_end
    )


def plan_of(order: Order, known: Hours) -> Plan:
    """What a locked order was planned with."""
    time = trading_time(known, order, latest_end(order))
    sizes = Sizes(order.lot_size, order.most_per_slice)
    return Plan(
        order.total_quantity, order.num_splits, order.start_at, planned_end(order), time, sizes, order.randomize
    )


def replan(
    session: Session,
    order: Order,
    cause: ReplanCause,
    known: Hours,
    now: datetime,
    catch_up: CatchUp | None = None,
    just_due: timedelta = timedelta(0),
    grace: timedelta = timedelta(0),
    opened: datetime | None = None,
) -> Schedule | None:
    """Write a new schedule for what is unsent of a locked order in progress, and for what comes back of it.

    `catch_up` replaces the order's policy for once; what came due within `just_due` is left on its way out, and slices
    may go out within `grace` after the window. What has waited for its market until it `opened` is late. The caller
    rolls the order up, and wakes who dispatches. None where nothing can be planned yet: it is tried again.
    """
    free = schedules.lock_unsent(session, order.id)
    found = slices.of_order(session, order.id)
    doubted = schedules.in_doubt(session, order.id)
    plan, policy = plan_of(order, known), policy_of(order, catch_up)
    since = now - (plan.interval if plan.time.stretches else timedelta(0))
    filled_before = [Sent(units, at) for units, at in fills.of_unsent(session, order.id, since)]
    history = _history(order, found, free, doubted, filled_before, since, opened, now)
    if _is_to_wait(order, policy, history, now):
        schedules.change(session, order, replan_at=now + LOOKED_AT_AGAIN)
        return None
    planned = reschedule(plan, history, now, policy, just_due, grace)
    _write(session, order, found, planned, now)
    _give_up_rest(session, order, history, planned, now)
    _note(session, order, plan, policy, planned, cause, now)
    schedules.change(session, order, replan_at=_next_time(order, found, planned, doubted, now))
    return planned


def returning(order: Order, found: Iterable[OrderSlice], doubted: Collection[str] = ()) -> int:
    """What has ended unfilled of an order, for certain, and is in no other slice of it."""
    accounted = left = 0
    for one in found:
        lacking = max(one.quantity - one.filled_quantity, 0)
        accounted += one.filled_quantity
        if one.status not in COMING_BACK or one.id in doubted:
            accounted += lacking
        else:
            left += lacking
    return max(min(order.total_quantity - accounted, left), 0)


def unknown_of(found: Iterable[OrderSlice], doubted: Collection[str]) -> int:
    """What may have been filled, or may be yet, without its being known: of slices that have ended in doubt, too."""
    return sum(
        _lacking(one)
        for one in found
        if one.status is SliceStatus.UNKNOWN or (one.status in COMING_BACK and one.id in doubted)
    )


def _history(
    order: Order,
    found: Sequence[OrderSlice],
    free: Collection[str],
    doubted: Collection[str],
    filled_before: Sequence[Sent],
    since: datetime,
    opened: datetime | None,
    now: datetime,
) -> History:
    unsent = [one for one in found if one.id in free and one.status is SliceStatus.SCHEDULED]
    at_work = [one for one in found if one not in unsent]
    being_claimed = [one for one in at_work if one.status is SliceStatus.SCHEDULED]
    claimed = [one for one in at_work if one.status is not SliceStatus.SCHEDULED]
    return History(
        filled=sum(one.filled_quantity for one in found),
        working=sum(map(_lacking, (one for one in at_work if one.status in _AT_THE_BROKER))),
        unknown=unknown_of(found, doubted),
        unsent=[Unsent(one.sequence_number, _lacking(one), _missed(one, opened), one.attempts > 0) for one in unsent],
        ended_rest=returning(order, found, doubted),
        sent=[
            *(Sent(one.quantity, one.sent_at) for one in claimed if one.sent_at is not None and one.sent_at > since),
            *filled_before,
            *(Sent(_lacking(one), now) for one in being_claimed),
        ],
        next_number=len(found) + 1,
        has_last_slice=any(one.is_last for one in found),
    )


def _missed(one: OrderSlice, opened: datetime | None) -> datetime:
    return one.scheduled_at if opened is not None and has_waited(one, opened) else one.due_at


def _lacking(one: OrderSlice) -> int:
    return max(one.quantity - one.filled_quantity, 0)


def _is_to_wait(order: Order, policy: Policy, history: History, now: datetime) -> bool:
    """The last slice is for all that is left: for that, what is at the broker has to have ended."""
    is_last_slice_due = policy.at_end is AtEnd.MARKET and not history.has_last_slice and now >= latest_end(order)
    return is_last_slice_due and history.working + history.unknown > 0


def _next_time(
    order: Order, found: Sequence[OrderSlice], planned: Schedule, doubted: Collection[str], now: datetime
) -> datetime | None:
    if any(one.status in COMING_BACK and one.id in doubted for one in found):
        return now + LOOKED_AT_AGAIN
    has_last_slice = any(one.is_last for one in found) or any(one.is_last for one in planned.slices)
    is_last_slice_to_come = order.at_end is AtEnd.MARKET and not has_last_slice and now < latest_end(order)
    return latest_end(order) if is_last_slice_to_come else None


def _write(session: Session, order: Order, found: Sequence[OrderSlice], planned: Schedule, now: datetime) -> None:
    by_number = {one.sequence_number: one for one in found}
    retimed = []
    for one in planned.slices:
        if one.is_new:
            continue
        slice_ = by_number[one.sequence_number]
        quantity = slice_.quantity if slice_.attempts else one.quantity
        if (quantity, one.due_at) != (slice_.quantity, slice_.due_at):
            retimed.append(Retimed(slice_.id, one.due_at, quantity))
    schedules.retime(session, retimed, now)
    for number in planned.ended:
        # Its quantity is named with what does not fit, or is in other slices.
        why = {"error_code": NOT_FITTING, "error_message": _why(planned.not_fitting)}
        with suppress(LostRace):
            slices.move(session, by_number[number], SliceStatus.SKIPPED, now, **why)
    schedules.add(session, order.id, [_added(order, one) for one in planned.slices if one.is_new], now)


def _give_up_rest(session: Session, order: Order, history: History, planned: Schedule, now: datetime) -> None:
    """A rest that is not sent any more is a slice that was skipped: so it is named, and never comes back."""
    ended = sum(one.quantity for one in history.unsent if one.sequence_number in planned.ended)
    lost = planned.quantity_not_fitting - ended
    if lost <= 0:
        return
    number = history.next_number + sum(one.is_new for one in planned.slices)
    row = AddedSlice(slices.id_of(order, number), number, lost, now, is_last=False)
    schedules.add(session, order.id, [row], now)
    added = slices.get(session, row.id)
    if added is not None:
        why = {"error_code": NOT_FITTING, "error_message": _why(planned.not_fitting)}
        slices.move(session, added, SliceStatus.SKIPPED, now, **why)


def _added(order: Order, one: Rescheduled) -> AddedSlice:
    return AddedSlice(
        slices.id_of(order, one.sequence_number), one.sequence_number, one.quantity, one.due_at, one.is_last
    )


def _why(not_fitting: Sequence[NotFitting]) -> str:
    if not not_fitting:
        return "its quantity is in other slices"
    return "; ".join(dict.fromkeys(one.reason.meaning for one in not_fitting))


def _note(
    session: Session,
    order: Order,
    plan: Plan,
    policy: Policy,
    planned: Schedule,
    cause: ReplanCause,
    now: datetime,
) -> None:
    """Write down what the order has given up, its pace and the end of its window, and tell of it."""
    lost = planned.quantity_not_fitting
    reason = planned.not_fitting[-1].reason if planned.not_fitting else None
    changes: dict[str, Any] = {}
    if plan.time.stretches:
        changes |= {"pace_interval": plan.interval, "most_per_interval": plan.interval_cap(policy)}
    if lost:
        changes |= {"not_fitting_quantity": order.not_fitting_quantity + lost, "not_fitting_reason": reason}
    if planned.end_at > order.end_at:
        changes |= {"planned_end_at": planned_end(order), "end_at": planned.end_at}
    schedules.change(session, order, updated_at=now, **changes)
    new = [one for one in planned.slices if one.is_new]
    told: dict[str, Any] = {"cause": cause, "catch_up": policy.catch_up}
    told |= {"unsent_slices": len(planned.slices), "unsent_quantity": planned.quantity}
    told |= {"new_slices": len(new), "new_quantity": sum(one.quantity for one in new)}
    told |= {"ended_slices": ", ".join(map(str, planned.ended)), "not_fitting_quantity": lost}
    told |= {"not_fitting_reason": reason, "end_at": planned.end_at}
    events.add(session, EventKind.REPLANNED, order.id, None, now, **told)
    log.info("order re-planned", order_id=order.id, **told)
