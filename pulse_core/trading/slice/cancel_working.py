"""Cancel slices that still work at the broker: past their deadline, of an order that calls them back, or halted."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from api_contract.vocabulary import OrderStatus
from pulse_core import brokers, clock, db
from pulse_core.batching import for_each
from pulse_core.boottime import boottime
from pulse_core.broker_accounts.store import states
from pulse_core.brokers.port import RATE_LIMITED, Broker, BrokerError, Scope
from pulse_core.events.names import EventKind
from pulse_core.failpoints import failpoint
from pulse_core.tasks import Task
from pulse_core.trading.admission import admit
from pulse_core.trading.admission.limits import is_on, limits
from pulse_core.trading.book import days
from pulse_core.trading.refused_accounts import note_refusal
from pulse_core.trading.store import at_broker, events, halts, slices
from pulse_core.trading.tables import Order, OrderSlice
from pulse_core.trading.vocabulary import CancelReason

# After a request to cancel, each time twice as long: what cannot be cancelled must not take the turns of what can.
PAUSES = timedelta(seconds=10), timedelta(minutes=5)
# Below the ten calls a second that Zerodha allows besides placing, with room for reading the books.
BATCH = 6
# What is halted is called back as fast as the broker takes it: nothing else of it is sent meanwhile. Where no limit is
# known, so many at once.
HALTED_BATCH = 20
AT_ONCE = 16
# A run goes on for so long while there is something halted to call back, in seconds.
CALLING_BACK = 10.0


@dataclass(frozen=True)
class _Asked:
    """How many slices were to be cancelled, and whether there may be more that are halted."""

    count: int
    is_more_halted: bool = False


def cancel_slices(now: datetime, limit: int = BATCH) -> int:
    """Ask each broker to cancel slices that work past their deadline, are called back, or halted; returns how many.

    Up to `limit` of each account that can be reached: those of one take nothing from the others. What is halted comes
    first, and is called back for some seconds, as fast as the broker allows.
    """
    with db.transaction() as session:
        meant = at_broker.accounts_to_cancel(session, now, PAUSES)
    return brokers.for_each_account(
        Task.CANCEL_SLICES, lambda broker: _cancel_all(broker, now, limit), lambda broker: broker.name in meant
    )


def _cancel_all(broker: Broker, now: datetime, limit: int) -> int:
    """The same of one account."""
    began_at, passed, count = boottime(), 0.0, 0
    while True:
        asked = _cancel_some(broker, now + timedelta(seconds=passed), limit)
        count += asked.count
        passed = boottime() - began_at
        if not asked.is_more_halted or passed >= CALLING_BACK:
            return count


def _cancel_some(broker: Broker, now: datetime, limit: int) -> _Asked:
    """Cancel what is due and finds a turn.

    Only the broker's book shows whether it worked, so each request is repeated until the book shows the end. Slices
    sent on an earlier day of the broker are left out: its book no longer holds them. Those that find no turn under the
    broker's limits wait for another run.
    """
    most = limits(broker).per_second if is_on() else HALTED_BATCH
    with db.transaction() as session:
        if states.awaits_token(session, broker.name):
            # Nobody could be asked, and each request would only make the next one come later.
            return _Asked(0)
        found = at_broker.to_cancel(session, broker.name, days.sent_since(broker, now), now, PAUSES, max(most, limit))
    halted = [one for one, is_halted in found if is_halted]
    due = [one for one, _ in found[: max(len(halted), limit)]]
    cancels = _at_their_turns(broker, due, now)
    # Side by side: an answer that does not come must not hold up the others.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for_each([pool.submit(cancel) for cancel in cancels], lambda asked: asked.result())
    return _Asked(len(due), is_more_halted=len(halted) >= most and bool(cancels))


def _at_their_turns(broker: Broker, due: Sequence[OrderSlice], now: datetime) -> list[Callable[[], None]]:
    if not is_on():
        return [partial(_cancel, broker, one, now) for one in due]
    turns = admit.turns_of_cancels(broker, [one.id for one in due], now)
    return [partial(_wait_and_cancel, broker, turns[one.id], one, now) for one in due if one.id in turns]


def _wait_and_cancel(broker: Broker, turn: datetime, one: OrderSlice, now: datetime) -> None:
    time.sleep(max((turn - clock.utcnow()).total_seconds(), 0))
    _cancel(broker, one, now)


def _cancel(broker: Broker, seen: OrderSlice, now: datetime) -> None:
    with db.transaction() as session:
        order, one = slices.lock(session, seen.id)
        # It was listed without a lock: it may have ended, have been resumed or be halted no more, or another sweep may
        # have asked.
        reason = _reason(session, order, one, now)
        if reason is None or _is_changed(one, seen):
            return
        asks = one.cancel_asks + 1
        slices.change(session, one.id, now, cancel_reason=reason, cancel_asked_at=now, cancel_asks=asks)
    failpoint("recall.before_ask")
    answer, is_account_refused = _ask(broker, one.broker_order_id or "", now)
    failpoint("recall.after_ask")
    with db.transaction() as session:
        if is_account_refused:
            # Asked again as soon as the account works: nothing was said of this order.
            slices.change(session, one.id, now, cancel_asked_at=seen.cancel_asked_at, cancel_asks=seen.cancel_asks)
        events.add(session, EventKind.BROKER_CALL, one.order_id, one.id, now, call="cancel", answer=answer)


def _reason(session: Session, order: Order, one: OrderSlice, now: datetime) -> CancelReason | None:
    """Why it is to be cancelled; None if it is not any more."""
    if order.status is OrderStatus.CANCELLING:
        return CancelReason.ORDER_CANCELLED
    if order.status is OrderStatus.PAUSED and order.recalls_working:
        return CancelReason.ORDER_PAUSED
    is_over = one.deadline_at is not None and one.deadline_at <= now
    if is_over or at_broker.makes_room(order, one, now):
        return CancelReason.DEADLINE
    return CancelReason.HALTED if halts.calls_back(session, order.id) else None


def _is_changed(one: OrderSlice, seen: OrderSlice) -> bool:
    return (one.status, one.broker_order_id, one.cancel_asked_at) != (
        seen.status,
        seen.broker_order_id,
        seen.cancel_asked_at,
    )


def _ask(broker: Broker, broker_order_id: str, now: datetime) -> tuple[str, bool]:
    """What the broker said, and whether it refused the account whatever was asked."""
    try:
        broker.cancel(broker_order_id)
    except BrokerError as error:
        if error.code == RATE_LIMITED and is_on():
            admit.note_full(broker.name)
        note_refusal(broker.name, error, now)
        return str(error), error.scope is Scope.ACCOUNT
    return "taken", False
