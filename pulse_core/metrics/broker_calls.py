"""Counts and times what is asked of a broker, at its port: no adapter knows of it."""

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from api_contract.metrics import counter, histogram
from pulse_core.brokers.port import (
    AlreadyThere,
    BookUnavailable,
    Broker,
    BrokerError,
    BrokerOrder,
    BrokerTrade,
    CallLimits,
    Finder,
    NotSent,
    OutcomeUnknown,
    Placement,
    Quote,
    Quoter,
    QuotesUnavailable,
    Refused,
)
from pulse_core.metrics.notes import put_down
from pulse_core.metrics.switch import CORE

if TYPE_CHECKING:
    from prometheus_client import Counter

T = TypeVar("T")

CALL_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# By call: what it is when it succeeds, and how else it may end.
SUCCESSES = {
    "place": "acknowledged",
    "cancel": "acknowledged",
    "order": "read",
    "order_trades": "read",
    "order_book": "read",
    "trade_book": "read",
    "find": "read",
    "quote": "read",
}
_FAILURES = {
    Refused: "refused",
    AlreadyThere: "already_there",
    NotSent: "not_sent",
    OutcomeUnknown: "unknown",
    BookUnavailable: "unavailable",
    QuotesUnavailable: "unavailable",
}

CALLS = counter(
    "pulse_broker_calls",
    "Calls of the broker: acknowledged or read, refused, already_there, not_sent, unknown, unavailable (a book,"
    " prices), failed (a defect).",
    "call",
    "outcome",
    by=CORE,
)
SECONDS = histogram("pulse_broker_call_seconds", "Time that the broker took.", "call", by=CORE, buckets=CALL_BUCKETS)
TURN_SECONDS = histogram(
    "pulse_broker_turn_seconds",
    "Time that a placement waited because this process had sent too many in the last second.",
    by=CORE,
)
TURNS_REFUSED = counter(
    "pulse_broker_turns_refused",
    "Placements put off because this process had sent too many in the last second.",
    by=CORE,
)

UNREADABLE = counter(
    "pulse_broker_rows_unreadable", "Rows of the broker's book, of orders of others, that could not be read.", by=CORE
)


class Measured:
    """A broker whose calls are counted. See `port.Broker`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = self.unmeasured = broker
        self.name = broker.name
        self.finder = None if broker.finder is None else _MeasuredFinder(broker.finder)
        self.quoter = None if broker.quoter is None else _MeasuredQuoter(broker.quoter)
        self._place = _Meter("place", Refused, AlreadyThere, NotSent, OutcomeUnknown)
        self._cancel = _Meter("cancel", Refused, NotSent, OutcomeUnknown)
        self._order = _Meter("order", BookUnavailable)
        self._order_trades = _Meter("order_trades", BookUnavailable)
        self._order_book = _Meter("order_book", BookUnavailable)
        self._trade_book = _Meter("trade_book", BookUnavailable)

    @property
    def limits(self) -> CallLimits:
        return self._broker.limits

    def wait_for_turn(self, seconds: float) -> None:
        started = perf_counter()
        try:
            self._broker.wait_for_turn(seconds)
        except NotSent:
            TURNS_REFUSED.inc()
            raise
        put_down(TURN_SECONDS.observe, perf_counter() - started)

    def token_ends_at(self, since: datetime) -> datetime | None:
        return self._broker.token_ends_at(since)

    def place(self, placement: Placement, not_after: float) -> str:
        return self._place.measure(lambda: self._broker.place(placement, not_after))

    def cancel(self, broker_order_id: str) -> None:
        self._cancel.measure(lambda: self._broker.cancel(broker_order_id))

    def covers_since(self, now: datetime) -> datetime:
        return self._broker.covers_since(now)

    def order(self, broker_order_id: str) -> BrokerOrder:
        return self._order.measure(lambda: self._broker.order(broker_order_id))

    def order_trades(self, broker_order_id: str) -> Sequence[BrokerTrade]:
        return self._order_trades.measure(lambda: self._broker.order_trades(broker_order_id))

    def order_book(self, since: datetime | None = None) -> Sequence[BrokerOrder]:
        return self._order_book.measure(lambda: self._broker.order_book(since))

    def trade_book(self, since: datetime | None = None, ours: Container[str] | None = None) -> Sequence[BrokerTrade]:
        return self._trade_book.measure(lambda: self._broker.trade_book(since, ours))

    def verify_postback(self, body: bytes, headers: Mapping[str, str]) -> str | None:
        return self._broker.verify_postback(body, headers)


class _MeasuredFinder:
    """The same of what a broker can look up. See `port.Finder`."""

    def __init__(self, finder: Finder) -> None:
        self.certain_after = finder.certain_after
        self._finder = finder
        self._find = _Meter("find", BookUnavailable)

    def find(self, client_order_id: str) -> BrokerOrder | None:
        return self._find.measure(lambda: self._finder.find(client_order_id))


class _MeasuredQuoter:
    """The same of prices. See `port.Quoter`."""

    def __init__(self, quoter: Quoter) -> None:
        self.seconds_between_quotes = quoter.seconds_between_quotes
        self.most_quotes = quoter.most_quotes
        self._quoter = quoter
        self._quote = _Meter("quote", QuotesUnavailable)

    def quote(self, instruments: Collection[str]) -> Mapping[str, Quote]:
        return self._quote.measure(lambda: self._quoter.quote(instruments))


class _Meter:
    """The series of one call, there from the start: a rate needs to see the zero before the first failure."""

    def __init__(self, call: str, *failures: type[BrokerError]) -> None:
        self._seconds = SECONDS.labels(call)
        self._success = CALLS.labels(call, SUCCESSES[call])
        self._failures = {failure: CALLS.labels(call, _FAILURES[failure]) for failure in failures}
        self._defect = CALLS.labels(call, "failed")

    def measure(self, ask: Callable[[], T]) -> T:
        started = perf_counter()
        ended = self._defect
        try:
            answer = ask()
            ended = self._success
        except BrokerError as error:
            ended = self._failures.get(type(error), self._defect)
            raise
        finally:
            put_down(self._count, ended, perf_counter() - started)
        return answer

    def _count(self, ended: "Counter", seconds: float) -> None:
        ended.inc()
        self._seconds.observe(seconds)
