"""The simulated exchange of the state machine: it loses, delays and repeats, and it judges each order that arrives."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pulse_core.brokers.port import (
    TOKEN_ENDED,
    AlreadyThere,
    BookUnavailable,
    BrokerOrder,
    BrokerOrderStatus,
    BrokerTrade,
    NotSent,
    OutcomeUnknown,
    Placement,
    Refused,
    Scope,
)
from tests.support.broker import (
    SimulatedBroker,
    accept,
    accept_and_fill,
    accept_but_lose_the_answer,
    answer_with,
    lose_the_request,
)

Answer = Callable[[SimulatedBroker, Placement], str]
START = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
# A request that was given up may still reach the exchange so much later, or so much after the exchange was away. The
# settle delay covers the first ones; of the last ones nothing could have told that they would come.
FORESEEN = [timedelta(seconds=seconds) for seconds in (6, 40, 55)]
UNFORESEEN = [timedelta(seconds=seconds) for seconds in (70, 150)]


@dataclass
class Clock:
    """Time as the machine has it: it moves when a rule says so."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()


@dataclass
class FaultyExchange(SimulatedBroker):
    """`judge` is called with each order that reaches the exchange, before it is answered.

    A reading that hides orders does so only if `is_noticed` says that what is left of the book lacks a known one: any
    other could not be told from a whole one.
    """

    clock: Clock = field(default_factory=lambda: Clock(START))
    judge: Callable[[Placement], None] = lambda _placement: None
    is_noticed: Callable[[Sequence[BrokerOrder]], bool] = lambda _rows: False
    flight: timedelta = FORESEEN[0]
    in_flight: list[tuple[Placement, datetime]] = field(default_factory=list)
    said: dict[str, str | None] = field(default_factory=dict)
    reading: str = ""
    cancel_answer: str = ""
    _seen_orders: list[BrokerOrder] = field(default_factory=list)
    _seen_trades: list[BrokerTrade] = field(default_factory=list)

    def place(self, placement: Placement, not_after: float) -> str:
        if self.clock.monotonic() > not_after:
            raise NotSent("LATE", "the time for sending had passed")
        self.judge(placement)
        try:
            broker_order_id = super().place(placement, not_after)
        except Refused:
            self.said[placement.client_order_id] = None
            raise
        except AlreadyThere as told:
            if told.broker_order_id is not None:
                self.said[placement.client_order_id] = told.broker_order_id
            raise
        self.said[placement.client_order_id] = broker_order_id
        return broker_order_id

    def cancel(self, broker_order_id: str) -> None:
        answer, self.cancel_answer = self.cancel_answer, ""
        if answer == "not_sent":
            raise NotSent("UNREACHABLE", "no connection")
        if answer == "lost_before":
            raise OutcomeUnknown("TIMEOUT", "no answer within 7 s")
        if self.book[broker_order_id].status is not BrokerOrderStatus.OPEN:
            raise Refused("OrderException", "it cannot be cancelled any more")
        super().cancel(broker_order_id)
        if answer == "lost_after":
            raise OutcomeUnknown("TIMEOUT", "no answer within 7 s")

    def order(self, broker_order_id: str) -> BrokerOrder:
        reading, self.reading = self.reading, ""
        seen = {row.broker_order_id: row for row in self._seen_orders}
        if reading in ("stale", "old") and broker_order_id in seen:
            return seen[broker_order_id]
        if reading not in ("", "reordered", "trades_lag"):
            raise self._unreadable()
        self.reading = reading if reading == "trades_lag" else ""
        return super().order(broker_order_id)

    def order_trades(self, broker_order_id: str) -> Sequence[BrokerTrade]:
        reading, self.reading = self.reading, ""
        lagging = self._seen_trades if reading == "trades_lag" else self.trades
        return [one for one in lagging if one.broker_order_id == broker_order_id]

    def order_book(self, since: datetime | None = None) -> Sequence[BrokerOrder]:
        if self.reading == "orders_down":
            raise self._unreadable()
        if self.reading == "stale":
            return self._seen_orders
        rows = list(super().order_book(since))
        hiding = {"empty": [], "cut": rows[: len(rows) // 2], "headless": rows[1:], "old": self._seen_orders}
        shown = hiding.get(self.reading)
        if shown is not None and self.is_noticed(shown):
            self.hold_back()
            return shown
        self._seen_orders = rows
        return rows if self.reading != "reordered" else rows[::-1]

    def trade_book(self, since: datetime | None = None, ours: Container[str] | None = None) -> Sequence[BrokerTrade]:
        reading, self.reading = self.reading, ""
        if reading == "trades_down":
            raise self._unreadable()
        if reading in ("stale", "trades_lag"):
            return self._seen_trades
        self._seen_trades = list(super().trade_book(since, ours))
        return self._seen_trades if reading != "reordered" else [*reversed(self._seen_trades), *self._seen_trades]

    def live_client_order_ids(self) -> list[str]:
        """Orders that may still trade, those that are on their way included."""
        working = [row.client_order_id or "" for row in self.book.values() if row.status is BrokerOrderStatus.OPEN]
        return working + [placement.client_order_id for placement, _ in self.in_flight]

    def deliver(self, before: datetime | None = None) -> None:
        """Let requests arrive whose answer nobody waits for any more: all, or those due `before`."""
        arriving = [one for one in self.in_flight if before is None or one[1] <= before]
        self.in_flight = [one for one in self.in_flight if one not in arriving]
        for placement, _ in arriving:
            self.enter(placement)

    def hold_back(self) -> None:
        """What was on its way when the exchange came to grief comes in after that."""
        self.in_flight = [(placement, self.clock.now + self.flight) for placement, _ in self.in_flight]

    def _unreadable(self) -> BookUnavailable:
        self.reading = ""
        self.hold_back()
        return BookUnavailable("NETWORK", "the book cannot be read")


def give_up_on_a_request_in_flight(broker: SimulatedBroker, placement: Placement) -> str:
    assert isinstance(broker, FaultyExchange)
    broker.in_flight.append((placement, broker.clock() + broker.flight))
    raise OutcomeUnknown("TIMEOUT", "no answer within 7 s")


def accept_and_fill_one(broker: SimulatedBroker, placement: Placement) -> str:
    broker_order_id = broker.enter(placement)
    broker.fill(broker_order_id, 1)
    return broker_order_id


def refuse_and_reject(broker: SimulatedBroker, placement: Placement) -> str:
    broker.reject(broker.enter(placement))
    raise Refused("MarginException", "not enough funds")


def refuse_but_accept(broker: SimulatedBroker, placement: Placement) -> str:
    broker.enter(placement)
    raise Refused("MarginException", "not enough funds")


def accept_and_say_that_it_is_there(broker: SimulatedBroker, placement: Placement) -> str:
    raise AlreadyThere("the id is in use", broker.enter(placement))


def accept_and_say_so_without_an_id(broker: SimulatedBroker, placement: Placement) -> str:
    broker.enter(placement)
    raise AlreadyThere("the id is in use")


def refuse_for_funds(broker: SimulatedBroker, placement: Placement) -> str:
    broker.reject(broker.enter(placement))
    raise Refused("MarginException", "not enough funds", Scope.FUNDS)


ANSWERS: dict[str, Answer] = {
    "accept": accept,
    "fill": accept_and_fill,
    "fill_one": accept_and_fill_one,
    "there": accept_and_say_that_it_is_there,
    "there_unnamed": accept_and_say_so_without_an_id,
    "lost_after": accept_but_lose_the_answer,
    "lost_before": lose_the_request,
    "in_flight": give_up_on_a_request_in_flight,
    "refuse": answer_with(Refused("MarginException", "not enough funds")),
    "refuse_and_reject": refuse_and_reject,
    "refuse_but_accept": refuse_but_accept,
    "refuse_account": answer_with(Refused(TOKEN_ENDED, "log in", Scope.ACCOUNT)),
    "refuse_funds": refuse_for_funds,
    "refuse_price": answer_with(Refused("InputException", "beyond the circuit limit", Scope.PRICE)),
    "not_sent": answer_with(NotSent("UNREACHABLE", "nobody listens")),
}
