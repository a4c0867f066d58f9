"""Look at what is held: try accounts that were refused, let go on what waited, and end what the window is over for."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.troubles import troubles
from api_contract.vocabulary import HoldReason, OrderStatus, ReplanCause
from pulse_core import brokers, clock, db, queue
from pulse_core.batching import for_each
from pulse_core.broker_accounts.state import reason_for, state_after
from pulse_core.broker_accounts.store import states
from pulse_core.broker_accounts.store.states import HeldAccount
from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.brokers import side_by_side
from pulse_core.brokers.port import BookUnavailable, BrokerError, Scope
from pulse_core.config import settings
from pulse_core.errors import DatabaseUnavailable
from pulse_core.events.names import PULSE, EventKind
from pulse_core.markets import hours
from pulse_core.markets.hours import Hours
from pulse_core.tasks import Task
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.replanning import replan
from pulse_core.trading.sessions import opens_at
from pulse_core.trading.slice.limited import LOOKED_AT_AGAIN, is_still_limited
from pulse_core.trading.slice.refused import CLOSED_FOR
from pulse_core.trading.slice.skipping import skip_over
from pulse_core.trading.store import holds, orders
from pulse_core.trading.tables import Order

log = get_logger(__name__)

BATCH = 200


def recheck_holds(now: datetime, limit: int = BATCH) -> int:
    """Look at what is held and due to be looked at; returns how much there was.

    Any process may do it, and as often as it likes: an account is tried by one of them at its time, and every change is
    compared with what was seen.
    """
    with db.transaction() as session:
        ended_before = now - timedelta(seconds=settings().late_grace)
        over = holds.over(session, ended_before, now, limit)
        waiting = holds.to_recheck(session, now, limit)
        accounts = states.held(session)
    for_each(over, lambda slice_id: skip_over(slice_id, now))
    if waiting:
        known = hours.current()
        for_each(waiting, lambda order_id: _look_at(order_id, known, now))
    return len(over) + len(waiting) + _try_all([one.name for one in accounts], now)


def recheck_neglected(now: datetime) -> None:
    """The same where nobody has looked for too long: no other kind of worker may be needed for a slice to go out."""
    before = now - timedelta(seconds=settings().overdue_after)
    with db.transaction() as session:
        is_neglected = holds.is_neglected(session, before)
    if is_neglected:
        recheck_holds(now)


def _look_at(order_id: str, known: Hours, now: datetime) -> None:
    """Let an order go on whose market takes it again; where no hours are known, the broker is asked again."""
    is_limited = is_still_limited(order_id, now)
    with db.transaction() as session:
        order = orders.lock(session, order_id)
        if order is None or order.hold is None or order.recheck_at is None or order.recheck_at > now:
            return
        if order.hold is HoldReason.LIMIT and is_limited:
            holds.look_again(session, order, now + LOOKED_AT_AGAIN)
            return
        opens = opens_at(known, order, now)
        if opens != now:
            holds.look_again(session, order, min(filter(None, (opens, now + CLOSED_FOR))))
            return
        holds.release(session, order, now, PULSE)
        _replan(session, order, known, now)
        queue.wake_after_commit(session, Task.DISPATCH_DUE_SLICES)


def _replan(session: Session, order: Order, known: Hours, now: datetime) -> None:
    if order.status is OrderStatus.IN_PROGRESS:
        replan(session, order, ReplanCause.RELEASED, known, now)
        roll_up(session, order, now)


def _try_all(names: Sequence[str], now: datetime) -> int:
    """Try accounts side by side, as one whose broker does not answer must not hold up the others; returns how many."""
    patience = side_by_side.PATIENCE if brokers.is_one_of_several() else None
    return side_by_side.run(Task.RECHECK_HOLDS, {name: partial(_try, name, now) for name in names}, patience)


def _try(name: str, now: datetime) -> bool:
    """Try an account by one reading, if its time has come and nobody else does; whether it was tried."""
    with db.transaction() as session:
        seen = states.take_probe(session, name)
    if seen is None:
        return False
    refusal = _ask(name)
    if refusal is not None:
        if refusal.scope is Scope.ACCOUNT:
            with db.transaction() as session:
                reason = reason_for(refusal.code, refusal.message)
                states.note_refused_read(session, seen, state_after(refusal.code), reason)
        log.info("broker account is still held", broker_account=name, reason=str(refusal))
    elif _is_proof(seen):
        release_account(seen, now)
    return True


def _ask(name: str) -> BrokerError | None:
    """A reading, and never a placement: what the broker shows, it shows to a login that works."""
    try:
        brokers.connect(name).order_book()
    except BookUnavailable as error:
        return error
    return None


def _is_proof(seen: HeldAccount) -> bool:
    """Who may read may not be let to place: a block that reading never met is ended by an operator or a new login."""
    return seen.state is BrokerAccountState.AWAITING_TOKEN or seen.is_read_refused


def release_account(seen: HeldAccount, now: datetime, actor: str = PULSE) -> bool:
    """Let an account go on that was seen to work, after what its orders have missed was given new times.

    In this order: whoever dies in between leaves the account held, and another one begins anew. False if it was held
    anew meanwhile, or by nobody any more.
    """
    known = hours.current()
    for order_id in _missed(seen.name, now):
        _replan_by_itself(order_id, known, now)
    with db.transaction() as session:
        is_released = states.release(session, seen)
        if is_released:
            told = {"reason": seen.state.value, "actor": actor}
            holds.tell_of_account(session, seen.name, EventKind.RELEASED, now, **told)
            queue.wake_after_commit(session, Task.DISPATCH_DUE_SLICES)
    if is_released:
        log.warning("broker account released", broker_account=seen.name, held_since=seen.since, actor=actor)
    return is_released


def release_by_operator(name: str, actor: str) -> bool:
    """Let an account go on by the word of an operator, who has seen to it; False if it was not held.

    What is still wrong there is met by the next call, which holds it again.
    """
    with db.transaction() as session:
        seen = next((one for one in states.held(session) if one.name == name), None)
    return seen is not None and release_account(seen, clock.utcnow(), actor)


def _replan_by_itself(order_id: str, known: Hours, now: datetime) -> None:
    """One that is locked or fails keeps no other one waiting: its slices go out at once when the account does."""
    try:
        with db.transaction() as session:
            order = orders.lock(session, order_id)
            if order is not None and order.hold is None:
                _replan(session, order, known, now)
    except DatabaseUnavailable as away:
        troubles.warn(log, str(away), "order not re-planned", order_id=order_id, reason=str(away))
    except Exception:
        log.exception("order not re-planned", order_id=order_id)


def _missed(broker: str, now: datetime) -> Iterator[str]:
    beyond = ""
    while True:
        with db.transaction() as session:
            found = holds.missed(session, broker, now, beyond, BATCH)
        yield from found
        if len(found) < BATCH:
            return
        beyond = found[-1]
