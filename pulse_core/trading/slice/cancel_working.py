"""Cancel slices that still work at the broker: past their deadline, or of a cancelled order."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

from api_contract.vocabulary import OrderStatus
from pulse_core import brokers, clock, db
from pulse_core.batching import for_each
from pulse_core.broker_accounts.store import states
from pulse_core.brokers.port import RATE_LIMITED, Broker, BrokerError, Scope
from pulse_core.events.names import EventKind
from pulse_core.failpoints import failpoint
from pulse_core.tasks import Task
from pulse_core.trading.admission import admit
from pulse_core.trading.admission.limits import is_on
from pulse_core.trading.book import days
from pulse_core.trading.refused_accounts import note_refusal
from pulse_core.trading.store import events, slices
from pulse_core.trading.tables import OrderSlice
from pulse_core.trading.vocabulary import CancelReason

# After a request to cancel, each time twice as long: what cannot be cancelled must not take the turns of what can.
PAUSES = timedelta(seconds=10), timedelta(minutes=5)
# Below the ten calls a second that Zerodha allows besides placing, with room for reading the books.
BATCH = 6


def cancel_slices(now: datetime, limit: int = BATCH) -> int:
    """Ask each broker to cancel working slices past their deadline or of a cancelled order; returns how many.

    Up to `limit` of each account that can be reached: those of one take nothing from the others.
    """
    return brokers.for_each_account(Task.CANCEL_SLICES, lambda broker: _cancel_all(broker, now, limit))


def _cancel_all(broker: Broker, now: datetime, limit: int) -> int:
    """The same of one account.

    Only the broker's book shows whether it worked, so each request is repeated until the book shows the end. Slices
    sent on an earlier day of the broker are left out: its book no longer holds them. Those that find no turn under the
    broker's limits wait for another run.
    """
    with db.transaction() as session:
        if states.awaits_token(session, broker.name):
            # Nobody could be asked, and each request would only make the next one come later.
            return 0
        due = slices.to_cancel(session, broker.name, days.sent_since(broker, now), now, PAUSES, limit)
    # Side by side: an answer that does not come must not hold up the others.
    with ThreadPoolExecutor(BATCH) as pool:
        for_each([pool.submit(cancel) for cancel in _at_their_turns(broker, due, now)], lambda asked: asked.result())
    return len(due)


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
        # It was listed without a lock: it may have ended, or another sweep may have asked.
        if _is_changed(one, seen):
            return
        reason = CancelReason.ORDER_CANCELLED if order.status is OrderStatus.CANCELLING else CancelReason.DEADLINE
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
