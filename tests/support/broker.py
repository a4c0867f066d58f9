"""A broker inside the test's process: the exchange simulated, everything else real."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from threading import Lock

from pulse_core.brokers.adapters import limits_of
from pulse_core.brokers.port import (
    BookUnavailable,
    BrokerOrder,
    BrokerOrderStatus,
    BrokerTrade,
    CallLimits,
    OutcomeUnknown,
    Placement,
    Quoter,
)
from pulse_core.config import settings

PRICE = Decimal("2500.0500")


@dataclass
class SimulatedBroker:
    """Keeps a book; `answers` decides, one for each placement, what the caller gets to see of it."""

    name: str = "paper"
    book: dict[str, BrokerOrder] = field(default_factory=dict)
    trades: list[BrokerTrade] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    answers: list[Callable[["SimulatedBroker", Placement], str]] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    readings: int = 0
    is_book_readable: bool = True
    is_book_daily: bool = False
    finder: "SimulatedFinder | None" = None
    quoter: Quoter | None = None
    # Slices of a batch are sent side by side.
    _entering: Lock = field(default_factory=Lock)

    @property
    def limits(self) -> CallLimits:
        return replace(limits_of("paper", settings()), time_zone=UTC)

    def wait_for_turn(self, seconds: float) -> None:
        """There is always room."""

    def token_ends_at(self, since: datetime) -> datetime | None:
        return None

    def place(self, placement: Placement, not_after: float) -> str:
        self.placements.append(placement)
        try:
            answer = self.answers.pop(0)
        except IndexError:
            answer = accept
        return answer(self, placement)

    def cancel(self, broker_order_id: str) -> None:
        self.cancels.append(broker_order_id)
        row = self.book[broker_order_id]
        if row.status is BrokerOrderStatus.OPEN:
            self.book[broker_order_id] = replace(row, status=BrokerOrderStatus.CANCELLED)

    def covers_since(self, now: datetime) -> datetime:
        return datetime.combine(now.date(), time.min, UTC) if self.is_book_daily else datetime(2000, 1, 1, tzinfo=UTC)

    def verify_postback(self, body: bytes, headers: Mapping[str, str]) -> str:
        return body.decode()

    def order(self, broker_order_id: str) -> BrokerOrder:
        self.looked_up.append(broker_order_id)
        if not self.is_book_readable or broker_order_id not in self.book:
            raise BookUnavailable("GeneralException", "Couldn't find that `order_id`.")
        return self.book[broker_order_id]

    def order_trades(self, broker_order_id: str) -> Sequence[BrokerTrade]:
        return [one for one in self.trades if one.broker_order_id == broker_order_id]

    def order_book(self, since: datetime | None = None) -> Sequence[BrokerOrder]:
        self.readings += 1
        if not self.is_book_readable:
            raise BookUnavailable("NETWORK", "the book cannot be read")
        return list(self.book.values())

    def trade_book(self, since: datetime | None = None, ours: Container[str] | None = None) -> Sequence[BrokerTrade]:
        return list(self.trades)

    def enter(self, placement: Placement) -> str:
        """Put an order into the book and return its broker order id."""
        with self._entering:
            broker_order_id = f"26112300{len(self.book):06d}"
            self.book[broker_order_id] = BrokerOrder(
                broker_order_id=broker_order_id,
                client_order_id=placement.client_order_id,
                status=BrokerOrderStatus.OPEN,
                quantity=placement.quantity,
                filled_quantity=0,
                average_price=None,
                message=None,
            )
        return broker_order_id

    def fill(self, broker_order_id: str, quantity: int | None = None, price: Decimal = PRICE) -> None:
        """Trade `quantity` shares of an order, all that is left of it by default."""
        row = self.book[broker_order_id]
        traded = row.quantity - row.filled_quantity if quantity is None else quantity
        filled = row.filled_quantity + traded
        trade_id = f"T{len(self.trades):08d}"
        self.trades.append(BrokerTrade(trade_id, broker_order_id, traded, price, datetime.now(UTC)))
        is_complete = filled >= row.quantity and row.status is BrokerOrderStatus.OPEN
        status = BrokerOrderStatus.COMPLETE if is_complete else row.status
        self.book[broker_order_id] = replace(row, filled_quantity=filled, status=status)

    def end(self, broker_order_id: str, status: BrokerOrderStatus = BrokerOrderStatus.CANCELLED) -> None:
        """End an order without having been asked."""
        self.book[broker_order_id] = replace(self.book[broker_order_id], status=status)

    def reject(self, broker_order_id: str, message: str = "no margin") -> None:
        self.book[broker_order_id] = replace(
            self.book[broker_order_id], status=BrokerOrderStatus.REJECTED, message=message
        )


@dataclass
class SimulatedFinder:
    """Looks a client order id up in the book of a simulated broker, whether or not the book as a whole can be read."""

    broker: SimulatedBroker
    certain_after: timedelta = timedelta(seconds=20)
    is_down: bool = False
    asked: list[str] = field(default_factory=list)

    def find(self, client_order_id: str) -> BrokerOrder | None:
        self.asked.append(client_order_id)
        if self.is_down:
            raise BookUnavailable("NETWORK", "nobody answers")
        return next((row for row in self.broker.book.values() if row.client_order_id == client_order_id), None)


def accept(broker: SimulatedBroker, placement: Placement) -> str:
    return broker.enter(placement)


def accept_and_fill(broker: SimulatedBroker, placement: Placement) -> str:
    broker_order_id = broker.enter(placement)
    broker.fill(broker_order_id)
    return broker_order_id


def accept_but_lose_the_answer(broker: SimulatedBroker, placement: Placement) -> str:
    broker.enter(placement)
    raise OutcomeUnknown("TIMEOUT", "no answer within 7 s")


def lose_the_request(_broker: SimulatedBroker, _placement: Placement) -> str:
    raise OutcomeUnknown("TIMEOUT", "no answer within 7 s")


def answer_with(error: Exception) -> Callable[[SimulatedBroker, Placement], str]:
    def answer(_broker: SimulatedBroker, _placement: Placement) -> str:
        raise error

    return answer
