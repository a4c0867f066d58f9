"""What is true of the whole database and of the queue. Read in one place, pulse, however many processes there are.

The answer is kept for some seconds, a failure too: nobody can load the database by asking for metrics.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import text

from api_contract.log import get_logger
from api_contract.metrics import Metric, Process, family
from api_contract.troubles import troubles
from pulse_core import db, queue
from pulse_core.errors import DatabaseUnavailable
from pulse_core.events.store.webhook_lag import webhook_lag
from pulse_core.trading.admission.limits import is_on
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import alarms
from pulse_core.trading.store.standing import Standing, standing

log = get_logger(__name__)

KEPT_SECONDS = 5.0
MOST = 20_000
MOST_WEBHOOKS = 500
BY = [Process.PULSE]

DATABASE_UP = family("pulse_database_up", "1 when the database answered, else 0.", by=BY)
QUEUE_UP = family("pulse_queue_up", "1 when the queue (Redis) answered, else 0.", by=BY)
QUEUE_MESSAGES = family("pulse_queue_messages", "Messages that wait in a queue for a worker.", "queue", by=BY)
ORDERS = family("pulse_orders", f"Open orders of the whole database; it counts up to {MOST}.", "status", by=BY)
SLICES = family("pulse_slices", f"Open slices of the whole database; it counts up to {MOST}.", "status", by=BY)
SENDING_HELD = family("pulse_sending_held", "1 while nothing is sent because sending is held, else 0.", by=BY)
HALTS = family("pulse_halts", "Halts in force: nothing new is sent of what they cover.", by=BY)
HOLDS = family("pulse_orders_held", f"Orders that are held, by reason; it counts up to {MOST}.", "reason", by=BY)
BROKER_ACCOUNTS = family("pulse_broker_accounts", "Broker accounts, by state.", "state", by=BY)
ALARMS = family("pulse_alarms", "Alarms of the whole database that are not resolved.", "code", by=BY)
AGES = {
    "unsplit": family("pulse_unsplit_oldest_seconds", "Age of the oldest order that is not split yet.", by=BY),
    "overdue": family(
        "pulse_overdue_oldest_seconds", "How long the oldest slice that should have gone out is overdue.", by=BY
    ),
    "turn_wait": family(
        "pulse_turn_wait_oldest_seconds",
        "How long the oldest slice has waited to be given its turn under the broker's limits.",
        by=BY,
    ),
    "unknown": family(
        "pulse_unknown_oldest_seconds", "Age of the oldest attempt that may be live without our knowing.", by=BY
    ),
    "past_deadline": family(
        "pulse_past_deadline_oldest_seconds", "How long a slice works at the broker beyond its deadline.", by=BY
    ),
    "held": family("pulse_sending_held_seconds", "Since when sending is held; 0 while it is not.", by=BY),
    "fence_silent": family(
        "pulse_fence_silent_seconds", "How long a session that holds a fence has said nothing to the database.", by=BY
    ),
    "commit_wait": family(
        "pulse_commit_wait_seconds", "How long the oldest commit has waited for a synchronous standby.", by=BY
    ),
}
WEBHOOK_LAG = family(
    "pulse_webhook_lag_seconds", "Age of the oldest event that a live webhook was not given yet.", by=BY
)
WEBHOOKS_FAILING = family("pulse_webhooks_failing", "Live webhooks whose last delivery failed.", by=BY)


@dataclass(frozen=True)
class Totals:
    """What was read; None for what did not answer."""

    standing: Standing | None
    webhooks: tuple[int, float] | None
    alarms: Mapping[AlarmCode, int] | None
    queues: Mapping[str, int] | None


class Kept:
    """The last answer, read anew by one thread at a time and not too often."""

    def __init__(self, read: Callable[[], Totals], clock: Callable[[], float] = monotonic) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._last: tuple[float, Totals] | None = None

    def get(self) -> Totals:
        with self._lock:
            if self._last is None or self._clock() - self._last[0] >= KEPT_SECONDS:
                totals = self._read()
                self._last = self._clock(), totals
            return self._last[1]


def read() -> Totals:
    """Ask the database and the queue once."""
    work, webhooks, open_alarms = _ask_database() or (None, None, None)
    return Totals(work, webhooks, open_alarms, queue.depths())


def look_up() -> Iterable[Metric]:
    """The metrics of the whole installation."""
    totals = _kept.get()
    yield DATABASE_UP.just(float(totals.standing is not None))
    yield QUEUE_UP.just(float(totals.queues is not None))
    yield QUEUE_MESSAGES.of({(name,): depth for name, depth in (totals.queues or {}).items()})
    if totals.standing is not None:
        yield from _of_work(totals.standing)
    if totals.webhooks is not None:
        failing, lag_seconds = totals.webhooks
        yield WEBHOOKS_FAILING.just(failing)
        yield WEBHOOK_LAG.just(lag_seconds)
    if totals.alarms is not None:
        yield ALARMS.of({(code.value,): totals.alarms.get(code, 0) for code in AlarmCode})


def _of_work(found: Standing) -> Iterable[Metric]:
    yield ORDERS.of({(status.value,): count for status, count in found.orders.items()})
    yield SLICES.of({(status.value,): count for status, count in found.slices.items()})
    yield SENDING_HELD.just(float(found.is_held))
    yield HALTS.just(found.halts)
    yield HOLDS.of({(reason.value,): count for reason, count in found.holds.items()})
    yield BROKER_ACCOUNTS.of({(state.value,): count for state, count in found.accounts.items()})
    for what, age in found.ages.items():
        yield AGES[what].just(age)


def _ask_database() -> tuple[Standing, tuple[int, float], Mapping[AlarmCode, int]] | None:
    try:
        with db.transaction() as session:
            session.execute(text("SET LOCAL statement_timeout = '2s'"))
            work = standing(session, MOST, has_turns=is_on())
            return work, webhook_lag(session, MOST_WEBHOOKS), alarms.open_by_code(session)
    except DatabaseUnavailable as away:
        troubles.warn(log, away.message, "totals not read", reason=away.message)
        return None


_kept = Kept(read)
