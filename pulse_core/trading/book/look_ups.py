"""Orders looked up one by one: of a long book, a few working ones are most of the news and little of the reading.

A look-up takes nothing over and proves nothing but what it shows: while anything is in doubt, the whole book is read.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy.orm import Session

from pulse_core.boottime import boottime
from pulse_core.brokers.port import Broker, BrokerTrade
from pulse_core.trading.book import days
from pulse_core.trading.book.reading import orders_last_shown
from pulse_core.trading.book.shown import Shown
from pulse_core.trading.store import at_broker, placements

FEW = 4
# Shorter, it costs less than the look-ups.
LONG_BOOK = 200
# So that four orders are looked up each second, with two calls each: Kite allows ten, which cancels need too.
SPACING = timedelta(seconds=0.225)
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 4.0
PAUSE_AFTER_FAILURE = 30.0
MOST_HINTS = 1000


class Looks:
    """When this process looks up which order next: at once when a postback hints at it, else more and more slowly.

    Without postbacks every order is looked up each time. They are thought to come as long as the last thing that was
    found without a hint is older than the last hint.
    """

    def __init__(self, clock: Callable[[], float] = boottime) -> None:
        self._clock = clock
        self._lock = Lock()
        self._hinted: set[str] = set()
        self._due: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._hinted_at = self._surprised_at = self._rests_until = float("-inf")

    def hint(self, broker_order_ids: Collection[str]) -> None:
        """Take the hint that there is news of these orders."""
        with self._lock:
            if len(self._hinted) > MOST_HINTS:
                self._hinted.clear()
            self._hinted.update(broker_order_ids)
            self._hinted_at = self._clock()

    def due(self, working: Collection[str]) -> Sequence[str]:
        """Which of the working orders are to be looked up now; of all others nothing is remembered."""
        with self._lock:
            for known in (self._due, self._pauses):
                for gone in known.keys() - set(working):
                    del known[gone]
            now = self._clock()
            return [one for one in working if one in self._hinted or self._due.get(one, now) <= now]

    def note(self, broker_order_id: str, *, is_news: bool) -> None:
        """Note that an order was looked up, and whether there was news of it."""
        with self._lock:
            now = self._clock()
            is_hinted = broker_order_id in self._hinted
            self._hinted.discard(broker_order_id)
            if is_news and not is_hinted:
                self._surprised_at = now
            pause = self._pauses.get(broker_order_id, 0.0)
            is_slower = not is_news and self._hinted_at > self._surprised_at
            pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE) if is_slower else 0.0
            self._pauses[broker_order_id], self._due[broker_order_id] = pause, now + pause

    def fail(self) -> None:
        """Look nothing up for a while."""
        with self._lock:
            self._rests_until = self._clock() + PAUSE_AFTER_FAILURE

    @property
    def is_resting(self) -> bool:
        return self._clock() < self._rests_until


class LooksOfAccounts:
    """Those of each broker account."""

    def __init__(self) -> None:
        self._of: dict[str, Looks] = {}
        self._lock = Lock()

    def of(self, broker: Broker) -> Looks:
        with self._lock:
            return self._of.setdefault(broker.name, Looks())

    def hint(self, broker_order_ids: Collection[str], broker_account: str | None = None) -> None:
        """Take a hint for an account; for all where it is not said whose it is."""
        with self._lock:
            hinted = [one for name, one in self._of.items() if broker_account in (None, name)]
        for one in hinted:
            one.hint(broker_order_ids)


looks = LooksOfAccounts()


def may_look_up(session: Session, broker: Broker, working: Collection[str], now: datetime) -> bool:
    """Whether looking up these orders can stand for a reading of the book, for once.

    Every reading of the book takes over attempts that were taken for not placed, and is asked about UNKNOWN slices:
    where there are any of today, nothing but the book will do.
    """
    if not 0 < len(working) <= FEW or looks.of(broker).is_resting or orders_last_shown(broker, now) <= LONG_BOOK:
        return False
    return is_without_doubt(session, broker, now)


def is_without_doubt(session: Session, broker: Broker, now: datetime) -> bool:
    """Whether no reading of the book is waited for by attempts whose placing is in doubt."""
    if at_broker.has_unknown(session, broker.name):
        return False
    return not placements.has_presumed_absent(session, broker.name, days.sent_since(broker, now))


def look_up(broker: Broker, broker_order_ids: Collection[str]) -> Shown:
    """Look up these orders. Raises BookUnavailable when the broker does not show one of them, for whatever reason."""
    orders = {one: broker.order(one) for one in broker_order_ids}
    # After the order, so that the trades cover what it says.
    trades: dict[str, Sequence[BrokerTrade]] = {
        one: broker.order_trades(one) for one, row in orders.items() if row.filled_quantity > 0
    }
    return Shown(broker.name, orders, trades)
