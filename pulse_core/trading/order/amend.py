"""Amend an order that is under way: what is unsent is planned anew, what was ever claimed stays as it is."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from api_contract.amendments import check_amendment
from api_contract.errors import (
    InvalidRequest,
    InvalidState,
    NotFound,
    PulseError,
    QuantityTooLarge,
    QuantityTooSmall,
    ServiceUnavailable,
)
from api_contract.order_rules import check_enough
from api_contract.versions import Expected
from api_contract.vocabulary import AtEnd, OrderStatus, OrderType, SliceStatus
from pulse_core import db, queue
from pulse_core.events.names import EventKind
from pulse_core.failpoints import failpoint
from pulse_core.instruments import current as instruments
from pulse_core.instruments import rules
from pulse_core.markets import hours
from pulse_core.markets.hours import Hours
from pulse_core.owner import Owner
from pulse_core.tasks import Task
from pulse_core.trading.amending import Amended, amend, least_total
from pulse_core.trading.exposure import exposure
from pulse_core.trading.order import risk
from pulse_core.trading.order.queries import check_expected, order_snapshot
from pulse_core.trading.order.reports import OrderSnapshot
from pulse_core.trading.order.risk import Standing
from pulse_core.trading.order.windows import amended_window, told
from pulse_core.trading.order_plan import History, Plan, Sent, Unsent
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.order_window import latest_end
from pulse_core.trading.replanning import plan_of, policy_of, unknown_of
from pulse_core.trading.schedule import PlannedSlice
from pulse_core.trading.store import events, fills, orders, schedules, slices, totals
from pulse_core.trading.store.room import Room
from pulse_core.trading.store.slices import NewSlice
from pulse_core.trading.tables import Order, OrderSlice

# What nobody is at any more in a moment is waited for.
TRIES, PAUSE = 40, timedelta(milliseconds=50)
NOTHING_LEFT = {"error_code": "AMENDED", "error_message": "the order was amended, and nothing is left for it"}
_POLICY = ("catch_up", "max_slice_multiple", "extend_minutes", "leftover", "at_end")
_OPEN = (OrderStatus.PENDING, OrderStatus.IN_PROGRESS, OrderStatus.PAUSED)
_PLANNED = frozenset({"total_quantity", "end_at"})
_PACED = _PLANNED | {"max_slice_multiple"}
_LIMITED = frozenset({"total_quantity", "limit_price"})
_HELD = _LIMITED | {"end_at", "duration_minutes"}


class _SliceTaken(Exception):
    """Somebody is at a slice of the order at this moment."""


def amend_order(
    owner: Owner, order_id: str, changes: Mapping[str, Any], actor: str, now: datetime, expected: Expected | None
) -> OrderSnapshot:
    """Change what is stated of an order that is not over, and plan anew what is unsent of it.

    `changes` has fields of `api_contract.amendments`. Nothing is changed, or all of it, each with an event. Raises
    NotFound, InvalidState, PreconditionFailed unless the order is as `expected`, InvalidRequest or a narrower kind,
    QuantityTooSmall with the least that can be, QuantityTooLarge with the most, InvalidLot, InvalidTick,
    InstrumentNotTradable, MarketClosed, BeyondCalendar, RiskLimit for a larger total or another price with which the
    order would pass a limit of its account, and for what cannot get out in its window, ServiceUnavailable.
    """
    check_amendment(changes)
    known = hours.current()
    held_to = _held_to(owner, order_id, changes, known, now)
    for _ in range(TRIES):
        try:
            with db.transaction() as session:
                order = _locked(session, owner, order_id, expected)
                _amend(session, order, changes, held_to, actor, known, now)
                failpoint("amend.before_commit")
        except _SliceTaken:
            time.sleep(PAUSE.total_seconds())
        else:
            failpoint("amend.after_commit")
            return order_snapshot(owner, order_id)
    message = "slices of the order are being sent at this moment: nothing was done"
    raise ServiceUnavailable(message, {"busy": "slices of the order", "retry_after_seconds": 1})


@dataclass(frozen=True)
class _HeldTo:
    """What an order is held to with another total or price, and how many slices can get out in its window."""

    standing: Standing | None = None
    window: Room | None = None


def _held_to(owner: Owner, order_id: str, changes: Mapping[str, Any], known: Hours, now: datetime) -> _HeldTo:
    """What the order is held to with these changes; the ticks of today's list are checked.

    Not inside a transaction: it may take a connection.
    """
    if _HELD.isdisjoint(changes):
        return _HeldTo()
    with db.transaction() as session:
        order = orders.of_owner(session, owner, order_id)
    if order is None:
        return _HeldTo()
    limit_price = changes.get("limit_price", order.limit_price)
    if "limit_price" in changes:
        instruments.check_price(order.broker_account, order.instrument, limit_price)
    window = _window(order, changes, known, now)
    if _LIMITED.isdisjoint(changes):
        return _HeldTo(None, window)
    return _HeldTo(risk.standing_of(order.account_id, order.broker_account, order.instrument, limit_price), window)


def _window(order: Order, changes: Mapping[str, Any], known: Hours, now: datetime) -> Room | None:
    try:
        end_at = _columns(order, changes, known, now).get("end_at", order.end_at)
    except PulseError:
        # It is refused once the order is locked, and is as it was expected to be.
        return None
    return risk.window_room(order.broker_account, order.account_id, order.start_at, end_at, now)


def _locked(session: Session, owner: Owner, order_id: str, expected: Expected | None) -> Order:
    order = orders.of_owner(session, owner, order_id, locked=True)
    if order is None:
        raise NotFound("there is no such order")
    check_expected(session, order, expected)
    if order.status not in _OPEN:
        raise InvalidState(f"the order is {order.status} and cannot be amended", {"status": order.status})
    return order


def _amend(
    session: Session,
    order: Order,
    changes: Mapping[str, Any],
    held_to: _HeldTo,
    actor: str,
    known: Hours,
    now: datetime,
) -> None:
    stated = _columns(order, changes, known, now)
    seen = {name: getattr(order, name) for name in stated}
    wanted = {name: value for name, value in stated.items() if value != seen[name]}
    if not wanted:
        return
    is_split, before = order.status is not OrderStatus.PENDING, plan_of(order, known)
    unsent = _hold_unsent(session, order) if is_split else ()
    history = _history(session, order, unsent)
    _check_total(order, wanted, history)
    _check_limits(session, order, wanted, held_to.standing, now)
    # Its end is its own again, if it was extended before.
    orders.change(session, order, now, **wanted, **({"planned_end_at": None} if "end_at" in wanted else {}))
    for name in wanted:
        change = {"field": name, "before": _told(seen[name]), "after": _told(wanted[name])}
        events.add(session, EventKind.AMENDED, order.id, None, now, actor=actor, **change)
    failpoint("amend.before_replan")
    to_send = _replan(session, order, wanted, before, history, unsent, known, now) if is_split else order.num_splits
    is_shorter = order.end_at < seen.get("end_at", order.end_at)
    if held_to.window is not None and (is_shorter or (is_split and to_send > len(unsent))):
        risk.check_window(session, order, held_to.window, to_send, now)


def _replan(
    session: Session,
    order: Order,
    wanted: Collection[str],
    before: Plan,
    history: History,
    unsent: Sequence[OrderSlice],
    known: Hours,
    now: datetime,
) -> int:
    """Plan it anew as far as the changes ask for that; returns how many slices are unsent then."""
    after, policy = plan_of(order, known), policy_of(order)
    if not _PACED.isdisjoint(wanted) and after.time.stretches:
        pace = {"pace_interval": after.interval, "most_per_interval": after.interval_cap(policy)}
        schedules.change(session, order, **pace)
    if order.at_end is AtEnd.MARKET:
        schedules.ask(session, [order.id], latest_end(order))
    if _PLANNED.isdisjoint(wanted):
        return len(unsent)
    planned = amend(before, after, history, now, policy)
    if planned.lost:
        raise _too_large(order, order.total_quantity, after.slice_cap(policy), order.total_quantity - planned.lost)
    _write(session, order, unsent, planned, now)
    roll_up(session, order, now)
    queue.wake_after_commit(session, Task.DISPATCH_DUE_SLICES)
    return len(planned.slices)


def _columns(order: Order, changes: Mapping[str, Any], known: Hours, now: datetime) -> dict[str, Any]:
    """What the columns of the order are to be."""
    wanted = {name: changes[name] for name in ("total_quantity", "client_note", *_POLICY) if name in changes}
    if "limit_price" in changes:
        if order.order_type is not OrderType.LIMIT:
            rule = "LIMIT only"
            raise InvalidRequest("limit_price belongs to order_type LIMIT only", {"field": "limit_price", "rule": rule})
        wanted["limit_price"] = changes["limit_price"]
    if "end_at" in changes or "duration_minutes" in changes:
        end_at, minutes = amended_window(order, changes.get("duration_minutes"), changes.get("end_at"), known, now)
        is_still_the_close = order.until_close and end_at == order.end_at
        wanted |= {"end_at": end_at, "duration_minutes": minutes, "until_close": is_still_the_close}
    return wanted


def _told(value: Any) -> Any:
    return told(value) if isinstance(value, datetime) else value


def _hold_unsent(session: Session, order: Order) -> Sequence[OrderSlice]:
    held = slices.hold_unsent(session, order.id)
    if held is None:
        raise _SliceTaken
    return held


def _history(session: Session, order: Order, unsent: Sequence[OrderSlice]) -> History:
    where = exposure(totals.of_order(session, order.id))
    known = slices.of_order(session, order.id)
    return History(
        filled=where.filled,
        working=where.working + where.on_its_way,
        unknown=unknown_of(known, schedules.in_doubt(session, order.id)),
        unsent=[
            Unsent(one.sequence_number, one.quantity - one.filled_quantity, one.due_at, _was_claimed(one))
            for one in unsent
        ],
        sent=[
            *(Sent(one.quantity, one.sent_at) for one in known if _is_out(one) and one.sent_at is not None),
            *(Sent(units, at) for units, at in fills.of_unsent(session, order.id, order.start_at)),
        ],
        next_number=max((one.sequence_number for one in known), default=0) + 1,
        has_last_slice=any(one.is_last for one in known),
    )


def _is_out(one: OrderSlice) -> bool:
    return one.status is not SliceStatus.SCHEDULED


def _was_claimed(one: OrderSlice) -> bool:
    """Or is the last slice of the order, which has what was left."""
    return one.attempts > 0 or one.filled_quantity > 0 or one.is_last


def _check_total(order: Order, wanted: Mapping[str, Any], history: History) -> None:
    total = wanted.get("total_quantity")
    if total is None:
        return
    rules.check_lots(order.instrument, order.lot_size, total)
    if order.status is OrderStatus.PENDING:
        check_enough(total, order.num_splits)
        rules.check_lots(order.instrument, order.lot_size, total, order.num_splits)
        _check_most(order, total)
    least = least_total(history, order.lot_size)
    if total < least:
        raise QuantityTooSmall(
            f"total_quantity can be {least} at the least: so much is filled, or was sent and may still be filled",
            {"field": "total_quantity", "total_quantity": total, "min": least},
        )


def _check_limits(
    session: Session, order: Order, wanted: Mapping[str, Any], standing: Standing | None, now: datetime
) -> None:
    """A smaller total at the same price is always allowed."""
    total = wanted.get("total_quantity", order.total_quantity)
    if standing is None or (total <= order.total_quantity and "limit_price" not in wanted):
        return
    risk.check_change(session, order, standing, total, wanted.get("limit_price", order.limit_price), now)


def _check_most(order: Order, total: int) -> None:
    most = order.most_per_slice
    if most is not None and total > most * order.num_splits:
        raise _too_large(order, total, most, most * order.num_splits)


def _too_large(order: Order, total: int, most: int, most_in_all: int) -> QuantityTooLarge:
    details = {
        "field": "total_quantity",
        "instrument": order.instrument,
        "total_quantity": total,
        "max_slice_quantity": most,
        "max_total_quantity": most_in_all,
    }
    return QuantityTooLarge(f"the rest of the window has room for a total_quantity of {most_in_all} at most", details)


def _write(session: Session, order: Order, unsent: Sequence[OrderSlice], planned: Amended, now: datetime) -> None:
    by_number = {one.sequence_number: one for one in unsent}
    for number in planned.ended:
        slices.move(session, by_number[number], SliceStatus.CANCELLED, now, **NOTHING_LEFT)
    for one in planned.slices:
        if not one.is_new:
            slices.replan(session, by_number[one.sequence_number], now, one.quantity, one.due_at)
    new = [PlannedSlice(one.sequence_number, one.quantity, one.due_at) for one in planned.slices if one.is_new]
    slices.add_planned(
        session, [NewSlice(slices.id_of(order, one.sequence_number), order.id, one) for one in new], None, now
    )
