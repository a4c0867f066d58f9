"""Give the slices and cancels of a broker's account their turns under its limits."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import TypeVar

from sqlalchemy import Connection

from api_contract.log import get_logger
from pulse_core import brokers, db
from pulse_core.brokers.port import Broker
from pulse_core.config import settings
from pulse_core.trading.admission import plan
from pulse_core.trading.admission.limits import GUARD, SECOND, is_on, limits
from pulse_core.trading.store import turns
from pulse_core.trading.store.due_slices import DueSlice
from pulse_core.trading.store.turns import Budget, Turn, Waiting

log = get_logger(__name__)

T = TypeVar("T")

BATCH = 500
# How long a slice may use its turn. A worker that comes later waits for another one.
TURN_LASTS = timedelta(seconds=1)
# A minute, its guard and what clocks may differ by.
KEPT = timedelta(seconds=61)
# Whoever loses a race for the budget this often leaves the rest to the next round.
TRIES = 4
# Sooner than that, the worker of the placement may be at it.
TAKEN_OVER_FROM = timedelta(milliseconds=50)
# A refusal so soon after a window that was marked full has passed says that it may have been a longer one.
SOON = timedelta(seconds=5)


@dataclass(frozen=True)
class Round:
    """How many slices were given turns, and those of them that a message shall bring to a worker at `due_at`."""

    given: int = 0
    to_tell: Sequence[DueSlice] = ()


def turn_lasts() -> timedelta | None:
    """How long a turn may be used; None: a slice needs none."""
    return TURN_LASTS if is_on() else None


def admit(now: datetime | None = None, trust: timedelta | None = None) -> Sequence[Round]:
    """Give turns to what waits, a round for every account as far as it has room. Raises DatabaseUnavailable.

    Postgres's clock decides, unless a test gives an instant. For `trust` from its first turn on, by default
    PULSE_OVERDUE_AFTER, a message is relied on to bring a slice to a worker.
    """
    return [admit_of(broker, now, trust) for broker in brokers.reachable()]


def admit_of(broker: Broker, now: datetime | None = None, trust: timedelta | None = None) -> Round:
    """The same for what waits for one account, as far as nobody else is at it."""
    relied_on = timedelta(seconds=settings().overdue_after) if trust is None else trust
    return _change(broker, now, lambda connection, budget: _admit(connection, broker, budget, relied_on)) or Round()


def admit_soon() -> Sequence[Round]:
    """The same after a commit, unless another thread of this process is about to: it will see what was committed."""
    return _crowd.one_of(admit) or ()


def turns_of_cancels(broker: Broker, slice_ids: Sequence[str], now: datetime | None = None) -> Mapping[str, datetime]:
    """When the broker may be asked to cancel each of these slices, within about a second; others have to wait.

    They use up what placements must leave, and then take the turns of those. The day's limit does not hold them back.
    """
    if not slice_ids:
        return {}
    given = _change(broker, now, lambda connection, budget: _admit_cancels(connection, broker, budget, slice_ids))
    return {one.slice_id: one.at for one in given or ()}


def note_full(broker_account: str, now: datetime | None = None) -> None:
    """The broker refused to take one call more of this account: admit nothing for a second, longer if it did not help.

    Each refusal soon after such a pause doubles it, up to a minute. Raises DatabaseUnavailable.
    """
    second, minute = (timedelta(microseconds=length * SECOND + GUARD) for length in (1, 60))
    with db.statement() as connection:
        until = turns.mark_full(connection, broker_account, second, minute, SOON, now)
    log.warning("broker takes no more calls", broker_account=broker_account, until=until)


def calls_of_day(broker: Broker, budget: Budget) -> int:
    """How many turns were given in the broker's day."""
    return budget.calls_of_day if budget.day == broker.limits.day(budget.now) else 0


def _change(broker: Broker, now: datetime | None, attempt: Callable[[Connection, Budget], T | None]) -> T | None:
    with db.statement() as connection:
        for _ in range(TRIES):
            budget = _read(connection, broker, now)
            changed = attempt(connection, budget)
            if changed is not None:
                return changed
    log.info("turns are given by others", broker_account=broker.name)
    return None


def _read(connection: Connection, broker: Broker, now: datetime | None) -> Budget:
    budget = turns.read(connection, broker.name, KEPT, now)
    if budget is None:
        turns.open_budget(connection, broker.name)
        budget = turns.read(connection, broker.name, KEPT, now)
    assert budget is not None  # noqa: S101
    return budget


def _admit(connection: Connection, broker: Broker, budget: Budget, trust: timedelta) -> Round | None:
    known, start = limits(broker), _start(budget)
    left = known.left_of_day(calls_of_day(broker, budget))
    is_full = left == 0 or plan.room_at(budget.taken, known, start) > plan.AHEAD
    if budget.is_held or is_full:
        return Round()
    found = _waiting(connection, broker, budget)
    due = [_microseconds(one.slice.due_at - budget.now) for one in found]
    planned = plan.turns(due, budget.taken, known, left, start)
    chosen = {
        one.slice.id: (one, budget.now + timedelta(microseconds=turn))
        for one, turn in zip(found, planned, strict=True)
        if turn is not None
    }
    if not chosen:
        return Round()
    given = turns.give(
        connection,
        budget,
        broker.name,
        broker.limits.day(budget.now),
        {slice_id: (one.missed_at, at) for slice_id, (one, at) in chosen.items()},
        _room_at(broker, budget, [turn for turn in planned if turn is not None], left),
        trust,
        TURN_LASTS,
        KEPT,
    )
    return None if given is None else _round(given, {slice_id: one for slice_id, (one, _) in chosen.items()})


def _waiting(connection: Connection, broker: Broker, budget: Budget) -> Sequence[Waiting]:
    config = settings()
    # What is given at once at most: in a rush for some seconds, else half of each second of the horizon.
    most = limits(broker).per_second * (3 + ceil(config.dispatch_horizon))
    horizon = budget.now + timedelta(seconds=config.dispatch_horizon)
    return turns.waiting(
        connection,
        broker.name,
        budget.now,
        horizon=horizon,
        missed_before=budget.now - TURN_LASTS,
        too_far=horizon + KEPT,
        open_since=budget.now - timedelta(seconds=config.late_grace),
        most=min(most, BATCH),
    )


def _round(given: Sequence[Turn], known: Mapping[str, Waiting]) -> Round:
    told = [replace(known[one.slice_id].slice, due_at=one.at) for one in given if one.is_told]
    return Round(len(given), told)


def _admit_cancels(
    connection: Connection, broker: Broker, budget: Budget, slice_ids: Sequence[str]
) -> Sequence[Turn] | None:
    start = _start(budget)
    if start > plan.CANCELS_WAIT:
        return ()
    free = plan.turns_of_cancels(len(slice_ids), budget.taken, limits(broker), start)
    earliest = budget.now + max(timedelta(microseconds=start), TAKEN_OVER_FROM)
    return turns.give_to_cancels(
        connection,
        budget,
        broker.name,
        broker.limits.day(budget.now),
        slice_ids,
        [budget.now + timedelta(microseconds=turn) for turn in free],
        (earliest, budget.now + timedelta(microseconds=plan.CANCELS_WAIT)),
    )


def _start(budget: Budget) -> int:
    # A mark that is farther ahead was made before the database's clock was set.
    until = budget.full_until
    if until is None or until > budget.now + KEPT:
        return 0
    return max(_microseconds(until - budget.now), 0)


def _room_at(broker: Broker, budget: Budget, given: Sequence[int], left: int | None) -> datetime:
    if left is not None and len(given) >= left:
        return broker.limits.day_ends(budget.now)
    taken = sorted([*budget.taken, *given])
    return budget.now + timedelta(microseconds=plan.room_at(taken, limits(broker), _start(budget)))


def _microseconds(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


class _Crowd:
    """Of many that want the same done, one does it and one waits to do it again; the others may go."""

    def __init__(self) -> None:
        self._at_it = threading.Lock()
        self._next = threading.Lock()

    def one_of(self, deed: Callable[[], T]) -> T | None:
        if not self._next.acquire(blocking=False):
            return None
        with self._at_it:
            self._next.release()
            return deed()


_crowd = _Crowd()
