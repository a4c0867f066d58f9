"""Compare the whole book of the day with ours: orders that should not be there are found, reported and cancelled."""

from datetime import datetime

from pulse_core import brokers, db
from pulse_core.brokers.port import Broker
from pulse_core.tasks import Task
from pulse_core.trading.book import pace
from pulse_core.trading.book.orphans import call_back_orphans, report_doubles
from pulse_core.trading.book.reading import BOOK_KEPT, read_book
from pulse_core.trading.book.turns import seized_turn
from pulse_core.trading.slice.news import find_news, settle_news
from pulse_core.trading.store import placements


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
        news = find_news(book, book.by_broker_order_id)
        settle_news(book, news, now)
        pace.paces.of(broker).note(hinted, [one.broker_order_id for one in news])
    return len(news)
