"""The brokers Pulse can trade with, behind the one port of `port.py`."""

from datetime import time
from functools import cache

from pulse_core.brokers.port import Broker
from pulse_core.config import Settings
from pulse_core.metrics import switch


@cache
def connect(settings: Settings) -> Broker:
    """The broker that `PULSE_BROKER` names, one for each process: its threads share the connections and the rate limit.

    The paper exchange speaks Zerodha's protocol, so both are one adapter.
    """
    # Imported here: the client brings a websocket stack along, which only the workers need.
    from pulse_core.brokers.zerodha.broker import ZerodhaBroker
    from pulse_core.metrics.broker_calls import Measured

    broker = ZerodhaBroker(
        name=settings.broker,
        root=settings.kite_root_url if settings.broker == "zerodha" else settings.paper_exchange_url,
        api_key=settings.kite_api_key.get_secret_value(),
        access_token=settings.kite_access_token.get_secret_value(),
        product=settings.kite_product,
        market_protection=settings.kite_market_protection,
        timeout=settings.broker_timeout,
        orders_per_second=settings.broker_orders_per_second,
        day_starts=settings.paper_day_starts if settings.broker == "paper" else time(0),
        api_secret=settings.kite_api_secret.get_secret_value(),
        algo_id=settings.kite_algo_id,
    )
    return Measured(broker) if switch.is_on() else broker
