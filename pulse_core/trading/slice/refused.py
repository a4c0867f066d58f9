"""What a refusal comes to: one that is the fault of the order spends its slice, every other holds what is at fault."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.vocabulary import HoldReason, Leftover, OrderStatus, SliceStatus
from pulse_core.brokers.port import BrokerOrder, Scope
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.book.adopt import point_at
from pulse_core.trading.refused_accounts import Refusal, hold_account
from pulse_core.trading.store import events, holds, placements, slices, totals
from pulse_core.trading.tables import Order, OrderSlice

# What goes back is not due again before the hold that keeps it back can be seen by everybody.
A_MOMENT = timedelta(seconds=1)
# The broker has said that the market is closed: it is asked again so often at most.
CLOSED_FOR = timedelta(minutes=1)
# Whether there is money by now, or there are shares: asked so long after a first refusal, and never longer after one.
FIRST_ASKED_AFTER = timedelta(seconds=15)
LAST_ASKED_AFTER = timedelta(minutes=10)
# So many refusals of its price, and somebody should look at the slice.
ALARMED_AFTER = 3

_HOLDS = {
    Scope.FUNDS: HoldReason.FUNDS,
    Scope.HOLDINGS: HoldReason.HOLDINGS,
    Scope.MARKET: HoldReason.SESSION,
    Scope.ORDER: HoldReason.INVALID,
}
_ASKED_ABOUT = frozenset({HoldReason.FUNDS, HoldReason.HOLDINGS})
# So far an order has come to nothing at its broker.
_NOTHING_ACCEPTED = frozenset({SliceStatus.SCHEDULED, SliceStatus.REJECTED, SliceStatus.FAILED, SliceStatus.SKIPPED})
_RUNNING = frozenset({OrderStatus.IN_PROGRESS, OrderStatus.PAUSED})


def take_refusal(session: Session, order: Order, one: OrderSlice, refusal: Refusal, now: datetime) -> None:
    """Record the refusal of an attempt of a locked slice."""
    match refusal.scope:
        case Scope.ACCOUNT:
            hold_account(session, order.broker_account, refusal, now)
            put_back(session, one, now + A_MOMENT, refusal, now)
        case Scope.FUNDS | Scope.HOLDINGS | Scope.MARKET:
            put_back(session, one, now + A_MOMENT, refusal, now)
            _hold(session, order, refusal, now)
        case Scope.PRICE if (again_at := _again_at(order, now)) is not None:
            put_back(session, one, again_at, refusal, now)
            _alarm_price(session, one, refusal, now)
        case _:
            slices.move(session, one, SliceStatus.REJECTED, now, sent_at=refusal.sent_at, **refusal.error)
            if refusal.scope is Scope.ORDER:
                _hold_if_nothing_is_taken(session, order, refusal, now)


def take_rejection(session: Session, order: Order, one: OrderSlice, row: BrokerOrder, now: datetime) -> None:
    """The book shows that a locked slice, REJECTED by now, had been taken and was refused after that.

    With nothing filled it is as good as a refusal, and its slice is sent again as if it had been one.
    """
    if row.refused_for is None or one.status is not SliceStatus.REJECTED or one.filled_quantity:
        return
    refusal = Refusal(one.error_code or "", row.message, row.refused_for, now)
    match row.refused_for:
        case Scope.FUNDS | Scope.HOLDINGS | Scope.MARKET:
            put_back(session, one, now + A_MOMENT, refusal, now)
            _hold(session, order, refusal, now)
        case Scope.PRICE if (again_at := _again_at(order, now)) is not None:
            put_back(session, one, again_at, refusal, now)
            _alarm_price(session, one, refusal, now)
        case Scope.ORDER:
            _hold_if_nothing_is_taken(session, order, refusal, now)


def _hold_if_nothing_is_taken(session: Session, order: Order, refusal: Refusal, now: datetime) -> None:
    """The rest of an order of which the broker took nothing is not sent into the same wall."""
    parts = totals.of_order(session, order.id)
    is_refused = all(part.status in _NOTHING_ACCEPTED and not part.filled for part in parts)
    if is_refused and any(part.status is SliceStatus.SCHEDULED for part in parts):
        _hold(session, order, refusal, now)


def put_back(session: Session, one: OrderSlice, due_at: datetime, refusal: Refusal, now: datetime) -> None:
    """A slice that was certainly not placed waits again, with nothing spent of its attempts."""
    live = placements.live_beside(session, one.id, one.client_order_id)
    if live is not None:
        point_at(session, one.id, live, now)
        return
    again = {"due_at": due_at, "hinted_until": None, "sent_at": None}
    slices.move(session, one, SliceStatus.SCHEDULED, now, **again, **refusal.error)


def _hold(session: Session, order: Order, refusal: Refusal, now: datetime) -> None:
    if order.status not in _RUNNING:
        return
    reason = _HOLDS[refusal.scope]
    recheck_at = now + CLOSED_FOR if reason is HoldReason.SESSION else None
    ask_at = now + _distance(session, order, reason) if reason in _ASKED_ABOUT else None
    is_held = holds.hold(session, order, reason, now, refusal.message, recheck_at, ask_at)
    if is_held and reason is not HoldReason.SESSION:
        events.alarm(session, AlarmCode.ORDER_HELD, order.id, None, now, reason=reason, message=refusal.message)


def _distance(session: Session, order: Order, reason: HoldReason) -> timedelta:
    """How long the broker is not asked: each time that an order is refused again for the same, twice as long."""
    before = events.count_holds(session, order.id, reason)
    return min(FIRST_ASKED_AFTER * (1 << min(before, 20)), LAST_ASKED_AFTER)


def _again_at(order: Order, now: datetime) -> datetime | None:
    """An interval of the order's later; None when its window is over by then, or it drops what is left over."""
    if order.leftover is Leftover.DROP:
        return None
    interval = order.pace_interval or (order.end_at - order.start_at) / (order.num_splits - 1)
    again_at = now + max(interval, A_MOMENT)
    return again_at if again_at <= order.end_at else None


def _alarm_price(session: Session, one: OrderSlice, refusal: Refusal, now: datetime) -> None:
    refusals = events.count_refusals(session, one.id, Scope.PRICE)
    if refusals == ALARMED_AFTER:
        told = {"refusals": refusals, "message": refusal.message}
        events.alarm(session, AlarmCode.PRICE_REFUSED, one.order_id, one.id, now, **told)
