"""Orders in the broker's book that should not be there: a second one of a tag, and live ones that no slice works."""

from datetime import datetime

from pulse_core import db
from pulse_core.batching import for_each
from pulse_core.brokers.port import Broker, BrokerError, BrokerOrderStatus
from pulse_core.events.names import EventKind
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.book.reading import Book
from pulse_core.trading.store import events, placements, slices
from pulse_core.trading.tables import Placement


def report_doubles(book: Book, now: datetime) -> None:
    """Two broker orders under one client order id: nothing of ours sends that, so somebody must look at it."""
    code = AlarmCode.DUPLICATE_ORDERS
    for row in book.duplicates:
        with db.transaction() as session:
            attempt = placements.by_client_order_id(session, row.client_order_id or "")
            if attempt is None or events.was_raised(
                session, attempt.slice_id, code, broker_order_id=row.broker_order_id
            ):
                continue
            order, one = slices.lock(session, attempt.slice_id)
            events.alarm(session, code, order.id, one.id, now, broker_order_id=row.broker_order_id)


def call_back_orphans(broker: Broker, book: Book, now: datetime) -> None:
    """Nothing follows a live order that its slice has moved on from: cancel it until the book shows its end."""
    live = [row.broker_order_id for row in book.by_broker_order_id.values() if row.status is BrokerOrderStatus.OPEN]
    with db.transaction() as session:
        orphans = placements.orphans(session, book.broker_account, live)

    def call_back(orphan: Placement) -> None:
        try:
            broker.cancel(orphan.broker_order_id or "")
            answer = "taken"
        except BrokerError as error:
            answer = str(error)
        with db.transaction() as session:
            order, one = slices.lock(session, orphan.slice_id)
            call = f"cancel orphan {orphan.broker_order_id}"
            events.add(session, EventKind.BROKER_CALL, order.id, one.id, now, call=call, answer=answer)

    for_each(orphans, call_back)
