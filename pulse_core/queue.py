"""Wake-ups for the workers. A task is sent by its name, and may be lost: the tables are what is true.

None leaves inside a transaction: a worker that is faster than the commit would find nothing to do.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from queue import Empty, SimpleQueue

from amqp.exceptions import NotFound
from celery import Celery
from kombu.connection import Connection
from kombu.transport import virtual
from sqlalchemy.orm import Session

from api_contract.log import current_trace, get_logger
from api_contract.troubles import troubles
from pulse_core import db
from pulse_core.errors import UncommittedWakeup
from pulse_core.failpoints import failpoint
from pulse_core.queue_away import AWAY, UNREACHABLE
from pulse_core.tasks import QUEUES, SLICES_QUEUE, Task

log = get_logger(__name__)

MOST_WAITING = 10_000
# A message costs as much for one order as for many, and most of it while others wait for the interpreter.
GATHERING_SECONDS = 0.025
MOST_TOGETHER = 20


@dataclass(frozen=True)
class Wakeup:
    """One message: the task's name, its arguments, when it should run, and the trace it belongs to.

    `shown` is what Flower shows in place of the arguments.
    """

    task: Task
    args: tuple[str, ...] = ()
    eta: datetime | None = None
    trace: tuple[tuple[str, str], ...] = ()
    shown: str | None = None


@cache
def app() -> Celery:
    """The Celery application of this process, for sending only."""
    return Celery("pulse", config_source="celeryconfig", set_as_current=False, fixups=())


def wake(task: Task, *args: str, eta: datetime | None = None, shown: str | None = None) -> None:
    """Send one wake-up in the background, without waiting for the queue or failing with it.

    Raises UncommittedWakeup inside a transaction: there, use `wake_after_commit`.
    """
    _check_committed()
    _outbox().put(_wakeup(task, args, eta, shown))


def wake_after_commit(
    session: Session, task: Task, *args: str, eta: datetime | None = None, shown: str | None = None
) -> None:
    """Send one wake-up in the background once this session has committed, none when it is rolled back."""
    db.after_commit(session, partial(_outbox().put, _wakeup(task, args, eta, shown)))


def send_soon(wakeups: Iterable[Wakeup]) -> None:
    """Send wake-ups in the background, as `wake` does."""
    _check_committed()
    for one in wakeups:
        _outbox().put(one)


def send(wakeups: Iterable[Wakeup]) -> None:
    """Send wake-ups now, in one batch.

    Raises one of UNREACHABLE when the queue is away, UncommittedWakeup inside a transaction.
    """
    _check_committed()
    with app().producer_pool.acquire(block=True, timeout=2) as producer, producer.batch():
        for one in wakeups:
            options = {} if one.shown is None else {"argsrepr": one.shown, "kwargsrepr": " ".join(one.args)}
            headers = dict(one.trace)
            app().send_task(one.task.value, args=one.args, eta=one.eta, headers=headers, producer=producer, **options)


def is_reachable() -> bool:
    """Whether the queue answers within about a second."""
    try:
        with app().connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)
    except UNREACHABLE:
        return False
    return True


def slices_waiting() -> int:
    """About how many messages wait for a worker for slices; 0 when the queue does not answer."""
    try:
        with app().pool.acquire(block=True, timeout=2) as connection:
            return depth(connection, SLICES_QUEUE)
    except UNREACHABLE:
        return 0


def depths() -> dict[str, int] | None:
    """Messages that wait in each queue, under the prefix of the settings; None when the queue does not answer."""
    try:
        with app().connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)
            return {name: depth(connection, name) for name in QUEUES}
    except UNREACHABLE:
        return None


def depth(connection: Connection, name: str) -> int:
    """How many messages wait in a queue; 0 where no worker has made it yet."""
    with connection.channel() as channel:  # type: ignore[no-untyped-call]
        if isinstance(channel, virtual.Channel):
            # Asking for the queue itself would forget the prefix, and an empty one does not exist.
            return int(channel._size(name))  # type: ignore[no-untyped-call]
        try:
            # Passive: a queue that is declared here would be none that a worker can use.
            return int(channel.queue_declare(name, passive=True).message_count)
        except NotFound:
            return 0


def _wakeup(task: Task, args: tuple[str, ...], eta: datetime | None, shown: str | None = None) -> Wakeup:
    return Wakeup(task, args, eta, tuple(current_trace().items()), shown)


def _check_committed() -> None:
    if db.is_in_transaction():
        raise UncommittedWakeup("a task is woken inside a transaction")


class _Outbox:
    """A thread that sends what was put into it; a queue that is away costs the messages, not the callers."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Wakeup] = SimpleQueue()
        threading.Thread(target=self._run, name="outbox", daemon=True).start()

    def put(self, wakeup: Wakeup) -> None:
        if self._waiting.qsize() < MOST_WAITING:
            self._waiting.put(wakeup)

    def _run(self) -> None:
        while True:
            batch = self._take()
            failpoint("queue.before_publish")
            try:
                send(_joined(batch))
                failpoint("queue.after_publish")
            except UNREACHABLE as error:
                troubles.warn(log, AWAY, "wake-ups lost", count=len(batch), reason=str(error))
            except Exception:
                # Every wake-up of this process goes through this thread: it must outlive any defect in the client.
                log.exception("wake-ups lost", count=len(batch))
            time.sleep(GATHERING_SECONDS)

    def _take(self) -> Sequence[Wakeup]:
        batch = [self._waiting.get()]
        try:
            while len(batch) < 100:
                batch.append(self._waiting.get_nowait())
        except Empty:
            pass
        return batch


def _joined(wakeups: Sequence[Wakeup]) -> Iterator[Wakeup]:
    """The same wake-ups, with orders to be split together in one message; each has its trace in its row."""
    splits = [one for one in wakeups if one.task is Task.SPLIT_ORDER]
    yield from (one for one in wakeups if one.task is not Task.SPLIT_ORDER)
    for start in range(0, len(splits), MOST_TOGETHER):
        together = splits[start : start + MOST_TOGETHER]
        order_ids = tuple(order_id for one in together for order_id in one.args)
        yield together[0] if len(together) == 1 else Wakeup(Task.SPLIT_ORDER, order_ids)


@cache
def _outbox() -> _Outbox:
    return _Outbox()
