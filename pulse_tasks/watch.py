"""A thread in every worker that reads Postgres itself, for the time when no message comes.

In a worker for slices it takes what is overdue and unclaimed, and under a broker's limits gives turns when nobody else
does; in the other it runs each sweep that has not been run for too long, because Redis or beat is away. Both go through
the same claims as the tasks, so doing it twice is harmless.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery import bootsteps
from celery.worker import state

from api_contract.log import get_logger
from api_contract.troubles import troubles
from api_contract.vocabulary import SliceStatus
from pulse_core import brokers, db
from pulse_core.boottime import boottime
from pulse_core.brokers.port import Broker
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.errors import DatabaseUnavailable
from pulse_core.outlook import sweeps_with_work
from pulse_core.tasks import PERIODS, Task
from pulse_core.trading.admission import admit
from pulse_core.trading.admission.limits import is_on
from pulse_core.trading.order.recheck import recheck_neglected
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice.batches import any_together, due_together
from pulse_core.trading.slice.claiming import EARLY
from pulse_core.trading.slice.execute import execute_slices
from pulse_core.trading.slice.refusals import show_refusals
from pulse_core.trading.slice.shares import may_have_another, shares
from pulse_core.trading.store import due_slices, turns
from pulse_tasks.base import AWAY, put_off
from pulse_tasks.fit_to_start import FitToStart
from pulse_tasks.sweep_runner import runner

log = get_logger(__name__)

PERIOD = 1.0
BATCH = 64
THREADS = 16

# So long a process goes on giving turns once nobody else has, in seconds.
IN_CHARGE = 10.0


class Watch(bootsteps.StartStopStep):  # type: ignore[misc]
    """Runs while the worker runs, whatever state its connection to the queue is in."""

    requires = ("celery.worker.components:Pool", FitToStart)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, worker: Any) -> None:
        queues = set(worker.app.amqp.queues.consume_from)
        overdue = partial(execute_overdue, Hands(partial(_idle_threads, worker.pool)))
        duties: dict[str, tuple[str, Callable[[], object]]] = {
            "slices": (execute_overdue.__name__, overdue),
            "control": (run_neglected_sweeps.__name__, run_neglected_sweeps),
        }
        for duty in (duties[queue] for queue in sorted(queues & duties.keys())):
            self._threads.append(threading.Thread(target=self._repeat, args=duty, daemon=True))
            self._threads[-1].start()

    def stop(self, worker: Any) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _repeat(self, what: str, duty: Callable[[], object]) -> None:
        while not self._stopping.wait(PERIOD):
            _attempt(what, duty)


class Hands:
    """Threads that place slices, each a batch: one that hangs holds up neither the others nor the next look.

    As many batches at a time as the worker has threads without work, THREADS at most: where none is idle the slices'
    messages may be among those that wait here. No account gets so many that none is left for another.
    """

    def __init__(self, idle_threads: Callable[[], int] = lambda: THREADS) -> None:
        self._idle_threads = idle_threads
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="overdue")
        self._at_it: dict[Future[None], tuple[str, Sequence[str]]] = {}
        self._lock = threading.Lock()
        self._aside: Future[None] | None = None

    def free(self) -> int:
        """How many more batches can be taken, whosever they are."""
        with self._lock:
            return self._free()

    def take(self, broker_account: str, batches: Iterable[Sequence[str]], *, is_alone: bool) -> Sequence[Sequence[str]]:
        """Begin with what is not in hand yet, as far as there is a hand; returns what that was."""
        with self._lock:
            free, taken = self._free(), []
            in_hand = {slice_id for _, batch in self._at_it.values() for slice_id in batch}
            mine = sum(account == broker_account for account, _ in self._at_it.values())
            for batch in filter(None, ([one for one in batch if one not in in_hand] for batch in batches)):
                if free <= 0 or not (is_alone or may_have_another(mine, free)):
                    break
                begun = self._pool.submit(_attempt, "execute_slices", partial(_execute, batch))
                self._at_it[begun] = broker_account, batch
                taken.append(batch)
                free, mine = free - 1, mine + 1
        return taken

    def aside(self, what: str, deed: Callable[[], object]) -> None:
        """Begin with something that may hang, too, unless it is still under way."""
        if self._aside is None or self._aside.done():
            self._aside = self._pool.submit(_attempt, what, deed)

    def wait(self) -> None:
        """Until all that was taken is done."""
        wait([*self._at_it, *([self._aside] if self._aside else [])])

    def _free(self) -> int:
        self._at_it = {one: taken for one, taken in self._at_it.items() if not one.done()}
        return min(self._idle_threads(), THREADS) - len(self._at_it)


def execute_overdue(hands: Hands) -> None:
    """Place slices whose message has not led to anything."""
    if _is_any_due(utcnow()):
        hands.aside(recheck_neglected.__name__, lambda: recheck_neglected(utcnow()))
    is_alone = not brokers.is_one_of_several()
    waiting = _accounts_waiting(utcnow())
    count = brokers.for_each_account(execute_overdue.__name__, partial(_take_overdue, hands, is_alone, waiting))
    if count:
        log.warning("overdue slices taken from the table", count=count)


def _take_overdue(hands: Hands, is_alone: bool, waiting: Collection[str], broker: Broker) -> int:
    # Without a slice that is due, too: the first one need not wait then.
    if not sending_hold.may_send(broker) or hands.free() <= 0:
        return 0
    for batch in shares.take_aside(broker.name):
        # Their message came, but the account had its share of threads, and may have it still.
        if not hands.take(broker.name, [batch], is_alone=is_alone):
            shares.put_aside(broker.name, batch)
    is_looked_for = broker.name in waiting or (is_on() and _charge.is_ours(broker.name))
    look = _at_their_turns if is_on() else _overdue
    found = look(broker, utcnow()) if is_looked_for else ()
    return sum(map(len, hands.take(broker.name, found, is_alone=is_alone)))


def _execute(slice_ids: Sequence[str]) -> None:
    attempts = execute_slices(slice_ids)
    if refused := [one for one, made in attempts.made.items() if made.status is SliceStatus.REJECTED]:
        show_refusals(refused)
    attempts.check()


def _overdue(broker: Broker, now: datetime) -> Iterable[Sequence[str]]:
    with db.transaction() as session:
        return any_together(due_slices.overdue(session, broker.name, now - _overdue_after(), BATCH))


def _at_their_turns(broker: Broker, now: datetime) -> Iterable[Sequence[str]]:
    """What has its turn about now and no message to tell of it, after turns were given where nobody else has."""
    with db.transaction() as session:
        is_neglected = turns.is_neglected(session, broker.name, now - _overdue_after(), now - admit.TURN_LASTS)
    if is_neglected:
        _charge.take(broker.name)
    if _charge.is_ours(broker.name):
        admit.admit_of(broker, trust=timedelta(0))
    with db.statement() as connection:
        untold = turns.untold(connection, broker.name, now - admit.TURN_LASTS, now + EARLY, BATCH)
    return due_together(untold, lambda slice_id: untold[slice_id])


def _accounts_waiting(now: datetime) -> Collection[str]:
    """The accounts that may have slices for which no message has come, or comes in time."""
    with db.transaction() as session:
        return due_slices.accounts_due(session, now + EARLY if is_on() else now - _overdue_after())


def _is_any_due(before: datetime) -> bool:
    with db.statement() as connection:
        return turns.is_any_due(connection, before)


class _Charge:
    """For which accounts this process gives turns, and until when."""

    def __init__(self) -> None:
        self._ends_at: dict[str, float] = {}

    def take(self, broker_account: str) -> None:
        self._ends_at[broker_account] = boottime() + IN_CHARGE

    def is_ours(self, broker_account: str) -> bool:
        return boottime() < self._ends_at.get(broker_account, float("-inf"))


_charge = _Charge()


def _overdue_after() -> timedelta:
    return timedelta(seconds=settings().overdue_after)


def _idle_threads(pool: Any) -> int:
    return int(pool.limit) - len(state.active_requests)


def run_neglected_sweeps() -> None:
    """Run the sweeps that no message has asked for of late, as far as they may find something."""
    if not runner.neglected():
        return
    runner.leave_out_all_but(_with_work())
    for name in runner.neglected():
        _attempt(name, partial(runner.run, name))


def _with_work() -> AbstractSet[Task]:
    try:
        return sweeps_with_work()
    except DatabaseUnavailable:
        # Each of them will say so.
        return PERIODS.keys()
    except Exception as error:
        if troubles.meet(repr(error)) is not None:
            log.exception("look failed")
        return PERIODS.keys()


def _attempt(what: str, run: Callable[[], object]) -> None:
    """Run it, and say on one line why it failed."""
    try:
        run()
    except AWAY as error:
        put_off(error, "watch put off", what=what)
    except Exception as error:
        if troubles.meet(f"{what} {error!r}") is not None:
            log.exception("watch failed", what=what)
