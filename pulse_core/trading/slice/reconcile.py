"""Compare the whole book of the day with ours: orders that should not be there are found, reported and cancelled."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from pulse_core import brokers, db
from pulse_core.boottime import boottime
from pulse_core.brokers.port import Broker, BrokerOrder
from pulse_core.tasks import Task
from pulse_core.trading.book import pace
from pulse_core.trading.book.orphans import call_back_orphans, report_doubles
from pulse_core.trading.book.reading import BOOK_KEPT, Book, read_book
from pulse_core.trading.book.turns import seized_turn
from pulse_core.trading.slice.news import compare, settle_news
from pulse_core.trading.store import placements

# However sure it is that nothing is new of an order, it is compared again after so many seconds.
COMPARED_AGAIN_AFTER = 300.0


class Closed:
    """What this process has found to be over and booked, by account: of a long book that is nearly all of it.

    Only another row can show anything new of such an order, so that it need not be compared each time.
    """

    def __init__(self, clock: Callable[[], float] = boottime) -> None:
        self._clock = clock
        self._rows: dict[str, Mapping[str, BrokerOrder]] = {}
        self._all_at: dict[str, float] = {}

    def open(self, book: Book) -> Sequence[str]:
        """The orders of this book that are to be compared."""
        now, account = self._clock(), book.broker_account
        if now - self._all_at.get(account, float("-inf")) >= COMPARED_AGAIN_AFTER:
            self._all_at[account], self._rows[account] = now, {}
        known = self._rows[account]
        return [one for one, row in book.by_broker_order_id.items() if known.get(one) != row]

    def note(self, book: Book, closed: Collection[str]) -> None:
        """These are closed, besides those that were."""
        known, shown = self._rows[book.broker_account], book.by_broker_order_id
        stay = {one: row for one, row in shown.items() if known.get(one) == row}
        self._rows[book.broker_account] = stay | {one: shown[one] for one in closed}


_closed = Closed()


def reconcile(now: datetime) -> int:
    """Book late fills and ends, report orders that should not be there, and cancel those that no slice works.

    Of every account that can be reached. Returns how many broker orders had news. Raises BookUnavailable.
    """
    return brokers.for_each_account(Task.RECONCILE, lambda broker: _reconcile(broker, now))


def _reconcile(broker: Broker, now: datetime) -> int:
    with db.transaction() as session:
        if not placements.any_since(session, broker.name, now - BOOK_KEPT):
            return 0
    # It comes round too seldom to wait for a turn, and leaves nothing for others to read meanwhile.
    with seized_turn(broker.name):
        hinted = pace.paces.of(broker).begin()
        book = read_book(broker, now)
        report_doubles(book, now)
        call_back_orphans(broker, book, now)
        found = compare(book, _closed.open(book))
        _closed.note(book, found.closed)
        settle_news(book, found.news, now)
        pace.paces.of(broker).note(hinted, [one.broker_order_id for one in found.news])
    return len(found.news)
