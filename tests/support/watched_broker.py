"""A simulated broker that several threads use at once, and that tells the judge when everything happened."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from threading import RLock

from pulse_core.brokers.port import BrokerOrderStatus, Placement
from pulse_core.clock import utcnow
from pulse_ops.verify.facts import ArrivalRow, BrokerBooks, BrokerOrderRow, BrokerTradeRow
from tests.support.broker import PRICE, SimulatedBroker


@dataclass
class WatchedBroker(SimulatedBroker):
    """`placed_at` and `ended_at` are instants by broker order id."""

    arrivals: list[ArrivalRow] = field(default_factory=list)
    placed_at: dict[str, datetime] = field(default_factory=dict)
    ended_at: dict[str, datetime] = field(default_factory=dict)
    _one_by_one: RLock = field(default_factory=RLock)

    def place(self, placement: Placement, not_after: float) -> str:
        self.arrivals.append(ArrivalRow(placement.client_order_id, utcnow(), "ACCEPTED"))
        with self._one_by_one:
            return super().place(placement, not_after)

    def enter(self, placement: Placement) -> str:
        broker_order_id = super().enter(placement)
        self.placed_at[broker_order_id] = utcnow()
        return broker_order_id

    def cancel(self, broker_order_id: str) -> None:
        with self._one_by_one:
            super().cancel(broker_order_id)
            self._note_end(broker_order_id)

    def fill(self, broker_order_id: str, quantity: int | None = None, price: Decimal = PRICE) -> None:
        """Trade so much of an order, if it works."""
        with self._one_by_one:
            if self.book[broker_order_id].status is BrokerOrderStatus.OPEN:
                super().fill(broker_order_id, quantity, price)
            self._note_end(broker_order_id)

    def end(self, broker_order_id: str, status: BrokerOrderStatus = BrokerOrderStatus.CANCELLED) -> None:
        """End an order without having been asked, if it works."""
        with self._one_by_one:
            if self.book[broker_order_id].status is BrokerOrderStatus.OPEN:
                super().end(broker_order_id, status)
            self._note_end(broker_order_id)

    def working(self) -> list[str]:
        """The ids of what works."""
        with self._one_by_one:
            return [one.broker_order_id for one in self.book.values() if one.status is BrokerOrderStatus.OPEN]

    def books(self) -> BrokerBooks:
        """All that happened, for the judge."""
        with self._one_by_one:
            orders = [
                BrokerOrderRow(
                    order_id=one.broker_order_id,
                    tag=one.client_order_id,
                    status=one.status.name,
                    quantity=one.quantity,
                    filled_quantity=one.filled_quantity,
                    placed_at=self.placed_at[one.broker_order_id],
                    ended_at=self.ended_at.get(one.broker_order_id),
                    visible_at=self.placed_at[one.broker_order_id],
                )
                for one in self.book.values()
            ]
            trades = [
                BrokerTradeRow(one.broker_trade_id, one.broker_order_id, one.quantity, one.price, one.traded_at)
                for one in self.trades
            ]
            return BrokerBooks(orders, trades, list(self.arrivals))

    def _note_end(self, broker_order_id: str) -> None:
        if self.book[broker_order_id].status is not BrokerOrderStatus.OPEN:
            self.ended_at.setdefault(broker_order_id, utcnow())
