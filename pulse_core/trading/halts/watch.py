"""What a halt in force needs: its orders are told, its receipt is kept, and in the end they go on."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from api_contract.log import get_logger
from api_contract.troubles import troubles
from api_contract.vocabulary import OrderStatus, ReplanCause
from pulse_core import db, queue
from pulse_core.batching import for_each
from pulse_core.boottime import boottime
from pulse_core.errors import DatabaseUnavailable
from pulse_core.events.names import PULSE, EventKind
from pulse_core.failpoints import failpoint
from pulse_core.markets import hours
from pulse_core.markets.hours import Hours
from pulse_core.tasks import Task
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.halt_tables import Halt
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.replanning import replan
from pulse_core.trading.store import ended_alarms, halts, orders, turns
from pulse_core.trading.store.halts import scope_of

log = get_logger(__name__)

BATCH = 200
# A sweep gives new times for so long; the next one goes on.
WITHIN = timedelta(seconds=10)


def watch_halts(now: datetime) -> int:
    """Do for each halt in force what is still to be done; returns how many there are.

    Whoever made or released one may have died in between.
    """
    with db.transaction() as session:
        found = halts.to_watch(session)

    def watch(halt: Halt) -> None:
        watch_halt(halt.id, now)
        if halt.released_at is None and halt.release_asked_at is not None:
            go_on(halt.id, now, WITHIN)

    for_each(found, watch)
    return len(found)


def watch_halt(halt_id: str, now: datetime) -> None:
    """Tell its orders once, take their turns back, and note what is at the broker and when nothing is left there."""
    with db.transaction() as session:
        halt = next((one for one in halts.to_watch(session) if one.id == halt_id), None)
        if halt is None:
            return
        if halt.released_at is None and halts.note_told(session, halt, now):
            halts.tell(session, halt, EventKind.HELD, now, message=halt.reason, actor=halt.made_by)
        halts.keep_receipt(session, halt, now)
        with_turns = turns.accounts(session) if halt.released_at is None else ()
    for broker_account in with_turns:
        with db.statement() as connection:
            turns.give_back_halted(connection, broker_account, now)


def go_on(halt_id: str, now: datetime, within: timedelta) -> bool:
    """Give what a halt has kept back new times, and end it; False if the time was too short or it is asked for again.

    In this order: whoever dies in between leaves the halt in force, and another one begins anew.
    """
    ends_at = boottime() + within.total_seconds()
    known = hours.current()
    for order_id in _missed(halt_id, now):
        if boottime() >= ends_at:
            return False
        _replan_by_itself(order_id, known, now)
    failpoint("halt.before_release")
    with db.transaction() as session:
        halts.serialize(session)
        halt = next((one for one in halts.in_force(session) if one.id == halt_id), None)
        if halt is None or halt.release_asked_at is None:
            return False
        actor = halt.release_asked_by or PULSE
        halts.change(session, halt, released_at=max(now, halt.made_at))
        halts.tell(session, halt, EventKind.RELEASED, now, actor=actor)
        ended_alarms.resolve_of_subject(session, AlarmCode.HALTED, halt.id, actor, now)
        queue.wake_after_commit(session, Task.DISPATCH_DUE_SLICES)
    log.warning("halt released", halt_id=halt_id, actor=actor)
    return True


def _replan_by_itself(order_id: str, known: Hours, now: datetime) -> None:
    """One that is locked or fails keeps no other one waiting: its slices go out at once when the halt is released."""
    try:
        with db.transaction() as session:
            order = orders.lock(session, order_id)
            if order is not None and order.hold is None and order.status is OrderStatus.IN_PROGRESS:
                replan(session, order, ReplanCause.RELEASED, known, now)
                roll_up(session, order, now)
    except DatabaseUnavailable as away:
        troubles.warn(log, str(away), "order not re-planned", order_id=order_id, reason=str(away))
    except Exception:
        log.exception("order not re-planned", order_id=order_id)


def _missed(halt_id: str, now: datetime) -> Iterator[str]:
    beyond = ""
    while True:
        with db.transaction() as session:
            halt = next((one for one in halts.in_force(session) if one.id == halt_id), None)
            found = [] if halt is None else halts.missed(session, scope_of(halt), now, beyond, BATCH)
        yield from found
        if len(found) < BATCH:
            return
        beyond = found[-1]
