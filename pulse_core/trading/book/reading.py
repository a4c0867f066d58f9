"""Today's book of the broker, read the same way by everything that needs it.

Every reading takes over attempts that were taken for not placed and turn up in it. One that fails, or that lacks what
the broker is known to have, begins the settle delay of every doubt anew, whoever met it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from api_contract.log import get_logger
from pulse_core import clock, db
from pulse_core.batching import for_each
from pulse_core.brokers.port import BookUnavailable, Broker, BrokerOrder, BrokerTrade
from pulse_core.trading.book.adopt import adopt
from pulse_core.trading.book.shown import Shown
from pulse_core.trading.refused_accounts import note_refusal
from pulse_core.trading.store import placements, slices
from pulse_core.trading.tables import Placement

log = get_logger(__name__)

# No broker's book shows more than a day.
BOOK_KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Book(Shown):
    """One reading of the whole book of today, its rows found by id; `duplicates` share another's client order id.

    It alone can be evidence of an absence: what was looked up of single orders is a `Shown`, and none of these.
    `started_at` and `ended_at` are instants of the database's clock between which it was read. `lacking` are broker
    orders that it does not show although, before the reading began, they were acknowledged to us today or stood in the
    reading before.
    """

    by_client_order_id: Mapping[str, BrokerOrder]
    duplicates: Sequence[BrokerOrder]
    started_at: datetime
    ended_at: datetime
    lacking: Sequence[str] = ()

    @property
    def is_evidence(self) -> bool:
        """Whether what it does not show may count as absent: an empty, stale or cut book proves nothing."""
        return not self.lacking


def read_book(broker: Broker, now: datetime, *, is_checked: bool = False) -> Book:
    """Read the book of a broker account, at `now` or later. Raises BookUnavailable.

    Whether it is evidence is looked at only while there is a doubt that needs it, or where it `is_checked`.
    """
    known = {*_acknowledged_today(broker, now, is_checked=is_checked), *_last.orders_of(broker, now)}
    try:
        book = _read(broker, known, now)
    except BookUnavailable as error:
        note_refusal(broker.name, error, now, is_read=True)
        begin_delays_anew(broker.name, now)
        raise
    if not book.is_evidence:
        log.warning("the book lacks acknowledged orders", broker_account=book.broker_account, lacking=len(book.lacking))
        begin_delays_anew(broker.name, now)
    _last.note(broker, now, book.by_broker_order_id)
    _adopt_presumed_absent(book)
    return book


class LastReading:
    """The orders that this process saw in the reading before of each account: a book of one day never shrinks."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[date, frozenset[str]]] = {}

    def orders_of(self, broker: Broker, now: datetime) -> Collection[str]:
        day, orders = self._shown.get(broker.name, (None, ()))
        return orders if day == broker.book_day(now) else ()

    def note(self, broker: Broker, now: datetime, orders: Collection[str]) -> None:
        self._shown[broker.name] = broker.book_day(now), frozenset(orders)


_last = LastReading()


def orders_last_shown(broker: Broker, now: datetime) -> int:
    """How many orders this process saw in its last reading of the book of today."""
    return len(_last.orders_of(broker, now))


def _acknowledged_today(broker: Broker, now: datetime, *, is_checked: bool) -> Sequence[str]:
    with db.transaction() as session:
        if not is_checked and not slices.has_unknown(session, broker.name):
            return ()
        return placements.acknowledged(session, broker.name, broker.book_day_start(now))


def _read(broker: Broker, known: Collection[str], now: datetime) -> Book:
    """Orders first, then trades, so that the trades cover what the orders say."""
    orders = broker.order_book()
    trades: dict[str, list[BrokerTrade]] = {}
    for trade in broker.trade_book():
        trades.setdefault(trade.broker_order_id, []).append(trade)
    by_client_order_id: dict[str, BrokerOrder] = {}
    duplicates = [
        row
        for row in orders
        if row.client_order_id and by_client_order_id.setdefault(row.client_order_id, row) is not row
    ]
    by_broker_order_id = {row.broker_order_id: row for row in orders}
    return Book(
        broker_account=broker.name,
        by_broker_order_id=by_broker_order_id,
        by_client_order_id=by_client_order_id,
        duplicates=duplicates,
        trades=trades,
        started_at=now,
        ended_at=max(clock.utcnow(), now),
        lacking=[broker_order_id for broker_order_id in known if broker_order_id not in by_broker_order_id],
    )


def begin_delays_anew(broker_account: str, now: datetime) -> None:
    """A broker that was away, or whose book is not whole, may still enter what it had taken before."""
    with db.transaction() as session:
        slices.begin_delays_anew(session, broker_account, now)


def _adopt_presumed_absent(book: Book) -> None:
    with db.transaction() as session:
        presumed = placements.presumed_absent(session, book.broker_account, book.started_at - BOOK_KEPT)
    found = [attempt for attempt in presumed if attempt.client_order_id in book.by_client_order_id]

    def take_over(attempt: Placement) -> None:
        with db.transaction() as session:
            adopt(session, attempt, book.by_client_order_id[attempt.client_order_id], book.ended_at)

    for_each(found, take_over)
