"""Compare the whole book of the day with ours: orders that should not be there are found, reported and cancelled."""

from datetime import datetime

from pulse_core import db
from pulse_core.trading.book.orphans import call_back_orphans, report_doubles
from pulse_core.trading.book.reading import BOOK_KEPT, read_book
from pulse_core.trading.slice.track import settle_news
from pulse_core.trading.store import placements


def reconcile(now: datetime) -> int:
    """Book late fills and ends, report orders that should not be there, and cancel those that no slice works.

    Returns how many broker orders had news. Raises BookUnavailable.
    """
    with db.transaction() as session:
        if not placements.any_since(session, now - BOOK_KEPT):
            return 0
    book = read_book(now)
    report_doubles(book, now)
    call_back_orphans(book, now)
    with db.transaction() as session:
        ours = placements.by_broker_order(session, book.broker, list(book.by_broker_order_id))
    return settle_news(book, ours, now)
