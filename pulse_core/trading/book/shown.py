"""What a broker shows of orders: the base of what is read of all of them, and of what is looked up of a few."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pulse_core.brokers.port import BrokerOrder, BrokerTrade


@dataclass(frozen=True)
class Shown:
    """Some orders and their trades, by broker order id. Of what it does not show it says nothing: see `Book`."""

    broker_account: str
    by_broker_order_id: Mapping[str, BrokerOrder]
    trades: Mapping[str, Sequence[BrokerTrade]]
