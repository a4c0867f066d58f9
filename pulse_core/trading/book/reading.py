"""The broker's book as far as it is needed, read the same way by everything that needs it.

Every reading takes over attempts that were taken for not placed and turn up in it. One that fails, or that lacks what
the broker is known to have, begins the settle delay of every doubt anew, whoever met it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from api_contract.log import get_logger
from pulse_core import clock, db
from pulse_core.batching import for_each
from pulse_core.brokers.port import BookUnavailable, Broker, BrokerOrder, BrokerTrade, covers, looks_ours
from pulse_core.metrics.broker_calls import UNREADABLE
from pulse_core.trading.book import days
from pulse_core.trading.book.adopt import adopt
from pulse_core.trading.book.shown import Shown
from pulse_core.trading.refused_accounts import note_refusal
from pulse_core.trading.store import at_broker, placements
from pulse_core.trading.tables import Placement

log = get_logger(__name__)

# Of what was sent longer ago and is over nobody needs the book, where it shows more than a day.
BOOK_KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Book(Shown):
    """One reading of the whole book since an instant, its rows by id; `duplicates` share another's client order id.

    It alone can be evidence of an absence: what was looked up of single orders is a `Shown`, and none of these.
    `started_at` and `ended_at` are instants of the database's clock between which it was read. `lacking` are broker
    orders that it does not show although, before the reading began, they were acknowledged to us since then or stood
    in the reading before.
    """

    by_client_order_id: Mapping[str, BrokerOrder]
    duplicates: Sequence[BrokerOrder]
    since: datetime
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
    since = _since(broker, now)
    known = {*_acknowledged(broker, since, is_checked=is_checked), *_last.orders_since(broker, since)}
    try:
        book = _read(broker, known, since, now)
    except BookUnavailable as error:
        note_refusal(broker.name, error, now, is_read=True)
        begin_delays_anew(broker.name, now)
        raise
    if not book.is_evidence:
        log.warning("the book lacks acknowledged orders", broker_account=book.broker_account, lacking=len(book.lacking))
        begin_delays_anew(broker.name, now)
    _last.note(broker, since, book.by_broker_order_id)
    _adopt_presumed_absent(book)
    return book


class LastReading:
    """The orders that this process saw in the reading before of each account: since an instant they never get fewer."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[datetime, frozenset[str]]] = {}

    def orders_since(self, broker: Broker, since: datetime) -> Collection[str]:
        shown_since, orders = self._shown.get(broker.name, (None, frozenset[str]()))
        return orders if shown_since == since else ()

    def count(self, broker: Broker, now: datetime) -> int:
        """How many they were, if the books still cover them."""
        shown_since, orders = self._shown.get(broker.name, (None, frozenset[str]()))
        return len(orders) if shown_since is not None and covers(broker, shown_since, now) else 0

    def note(self, broker: Broker, since: datetime, orders: Collection[str]) -> None:
        self._shown[broker.name] = since, frozenset(orders)


_last = LastReading()


def orders_last_shown(broker: Broker, now: datetime) -> int:
    """How many orders this process saw in its last reading of the book, of a day that is not over."""
    return _last.count(broker, now)


def _since(broker: Broker, now: datetime) -> datetime:
    """From where on the book is needed: all of a book of one day, else back to what is not over, in whole days."""
    covered = broker.covers_since(now)
    if covered >= now - BOOK_KEPT - days.ON_ITS_WAY:
        return covered
    with db.transaction() as session:
        oldest = at_broker.oldest_at_the_broker(session, broker.name)
    needed = min(now - BOOK_KEPT, oldest or now) - days.ON_ITS_WAY
    return max(covered, datetime.combine(needed.astimezone(UTC).date(), time(0), UTC))


def _acknowledged(broker: Broker, since: datetime, *, is_checked: bool) -> Sequence[str]:
    with db.transaction() as session:
        if not is_checked and not at_broker.has_unknown(session, broker.name):
            return ()
        return placements.acknowledged(session, broker.name, since)


def _read(broker: Broker, known: Collection[str], since: datetime, now: datetime) -> Book:
    """Orders first, then trades, so that the trades cover what the orders say."""
    # A little more than is needed: the broker's clock is not ours.
    asked_since = since - days.ON_ITS_WAY
    orders = broker.order_book(asked_since)
    _count_unreadable(broker.name, orders)
    ours = {row.broker_order_id for row in orders if looks_ours(row.client_order_id)}
    trades: dict[str, list[BrokerTrade]] = {}
    for trade in broker.trade_book(asked_since, ours):
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
        since=since,
        started_at=now,
        ended_at=max(clock.utcnow(), now),
        lacking=[broker_order_id for broker_order_id in known if broker_order_id not in by_broker_order_id],
    )


def _count_unreadable(broker_account: str, orders: Sequence[BrokerOrder]) -> None:
    unreadable = [row.broker_order_id for row in orders if not row.is_readable]
    if unreadable:
        UNREADABLE.inc(len(unreadable))
        some = {"orders": unreadable[:5], "count": len(unreadable)}
        log.warning("orders of others cannot be read", broker_account=broker_account, **some)


def begin_delays_anew(broker_account: str, now: datetime) -> None:
    """A broker that was away, or whose book is not whole, may still enter what it had taken before."""
    with db.transaction() as session:
        at_broker.begin_delays_anew(session, broker_account, now)


def _adopt_presumed_absent(book: Book) -> None:
    with db.transaction() as session:
        presumed = placements.presumed_absent(session, book.broker_account, book.started_at - BOOK_KEPT)
    found = [attempt for attempt in presumed if attempt.client_order_id in book.by_client_order_id]

    def take_over(attempt: Placement) -> None:
        with db.transaction() as session:
            adopt(session, attempt, book.by_client_order_id[attempt.client_order_id], book.ended_at)

    for_each(found, take_over)
