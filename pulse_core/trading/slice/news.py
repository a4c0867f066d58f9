"""Settle what the broker shows that is new about our orders: those of many orders in one transaction."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from operator import attrgetter
from typing import TypeVar

from api_contract.log import get_logger
from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.batching import for_each, for_each_batch
from pulse_core.brokers.port import BookUnavailable, BrokerOrderStatus, looks_ours
from pulse_core.errors import DatabaseUnavailable, RowsLocked
from pulse_core.failpoints import failpoint
from pulse_core.trading.book.shown import Shown
from pulse_core.trading.order_totals import roll_up_all
from pulse_core.trading.slice.fills import settle_slices
from pulse_core.trading.slice.refusals import show_refusal
from pulse_core.trading.slice.refused import take_rejection
from pulse_core.trading.store import fills, orders, placements, slices

log = get_logger(__name__)

T = TypeVar("T")

# How many news are settled in one transaction, whose locks others may be waiting for.
TOGETHER = 100
ASKED_TOGETHER = 1000


@dataclass(frozen=True, order=True)
class BrokerNews:
    """A broker order about which the broker shows something new, and the slice and order it belongs to."""

    order_id: str
    slice_id: str
    broker_order_id: str


@dataclass(frozen=True)
class Comparison:
    """What the broker shows that is new, and the broker orders of which only another row could show anything new.

    Those are `closed`: all that is shown of them is booked and they have ended, or they are somebody else's.
    """

    news: Sequence[BrokerNews]
    closed: Sequence[str]


# The news of one order, or some of them.
Piece = Sequence[BrokerNews]


def find_news(shown: Shown, broker_order_ids: Collection[str]) -> Sequence[BrokerNews]:
    """Those of these broker orders that are ours, with unbooked trades or a new end."""
    return compare(shown, broker_order_ids).news


def compare(shown: Shown, broker_order_ids: Collection[str]) -> Comparison:
    """What is new about these broker orders, and of which nothing will be."""
    telling = [one for one in broker_order_ids if one in shown.trades or _has_ended(shown, one)]
    parts = [_compare(shown, asked) for asked in _chunks(telling, ASKED_TOGETHER)]
    return Comparison([one for part in parts for one in part.news], [one for part in parts for one in part.closed])


def settle_news(
    shown: Shown, news: Collection[BrokerNews], now: datetime, before_each: Callable[[], object] = lambda: None
) -> None:
    """Book these news; `before_each` is called before every transaction.

    An order that cannot be settled, because somebody else has it locked or a row of it fails, is left for the next
    reading and holds up none of the others.
    """

    def settle(batch: Sequence[Piece]) -> None:
        before_each()
        _settle(shown, [one for piece in batch for one in piece], now)

    def settle_in_pieces(batch: Sequence[Piece]) -> None:
        try:
            settle(batch)
        except RowsLocked:
            if len(batch) == 1:
                log.warning("order left for the next reading", order_id=batch[0][0].order_id, reason="locked")
            raise
        except (DatabaseUnavailable, BookUnavailable):
            raise
        except Exception:
            if len(batch) > 1 or len(batch[0]) == 1:
                raise
            for_each([[[one]] for one in batch[0]], settle)

    for_each_batch(_batches(news), settle_in_pieces)


def _settle(shown: Shown, news: Sequence[BrokerNews], now: datetime) -> None:
    with db.transaction() as session:
        locked = orders.lock_all(session, {one.order_id for one in news})
        parts = slices.lock_all(session, {one.slice_id for one in news})
        working = [one for one in parts.values() if one.status is SliceStatus.WORKING]
        settle_slices(session, [(parts[one.slice_id], one.broker_order_id) for one in news], shown, now)
        told = {one.slice_id: one.broker_order_id for one in news}
        for refused in (one for one in working if one.status is SliceStatus.REJECTED):
            order, row = locked[refused.order_id], shown.by_broker_order_id.get(told[refused.id])
            if row is not None and row.broker_order_id == refused.broker_order_id:
                take_rejection(session, order, refused, row, now)
            show_refusal(session, order, refused)
        roll_up_all(session, list(locked.values()), now)
        failpoint("track.before_commit")
    failpoint("track.after_commit")


def _batches(news: Collection[BrokerNews]) -> Iterator[Sequence[Piece]]:
    """The news by order, as many orders at once as there is room for."""
    batch: list[Piece] = []
    for _order_id, of_order in groupby(sorted(news), attrgetter("order_id")):
        for piece in _chunks(of_order, TOGETHER):
            if sum(map(len, batch)) + len(piece) > TOGETHER:
                yield batch
                batch = []
            batch.append(piece)
    if batch:
        yield batch


def _compare(shown: Shown, broker_order_ids: Collection[str]) -> Comparison:
    with db.transaction() as session:
        known = placements.by_broker_order(session, shown.broker_account, broker_order_ids)
        booked = fills.booked(session, shown.broker_account, [one.broker_order_id for one in known])
    others = set(broker_order_ids) - {one.broker_order_id for one in known}
    news, closed = [], [one for one in others if _is_somebody_elses(shown, one)]
    for one in known:
        trades = shown.trades.get(one.broker_order_id, ())
        has_unbooked = any((one.broker_order_id, trade.broker_trade_id) not in booked for trade in trades)
        if has_unbooked or (not one.has_ended and _has_ended(shown, one.broker_order_id)):
            news.append(BrokerNews(one.order_id, one.slice_id, one.broker_order_id))
        elif one.has_ended:
            closed.append(one.broker_order_id)
    return Comparison(news, closed)


def _is_somebody_elses(shown: Shown, broker_order_id: str) -> bool:
    row = shown.by_broker_order_id.get(broker_order_id)
    return row is not None and not looks_ours(row.client_order_id)


def _has_ended(shown: Shown, broker_order_id: str) -> bool:
    row = shown.by_broker_order_id.get(broker_order_id)
    return row is not None and row.status is not BrokerOrderStatus.OPEN


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
