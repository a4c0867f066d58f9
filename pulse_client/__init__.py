"""A client of the public API: what the command line uses, over HTTP like anybody else's. A package of its own."""

from pulse_client.errors import EventsReset, GatewayError, NotReachable, Refused
from pulse_client.following import Follower
from pulse_client.gateway import Credentials, Gateway
from pulse_client.new_order import Amendment, NewOrder, SplitConfig
from pulse_client.vocabulary import OrderType, Product, Side
from pulse_client.webhook_check import is_genuine

__version__ = "0.1.0"
__all__ = [
    "Amendment",
    "Credentials",
    "EventsReset",
    "Follower",
    "Gateway",
    "GatewayError",
    "NewOrder",
    "NotReachable",
    "OrderType",
    "Product",
    "Refused",
    "Side",
    "SplitConfig",
    "is_genuine",
]
