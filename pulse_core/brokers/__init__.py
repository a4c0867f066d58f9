"""The brokers Pulse can trade with, behind the one port of `port.py`."""

from functools import cache

from pulse_core.brokers.adapters import ADAPTERS, Keys
from pulse_core.brokers.port import Broker
from pulse_core.config import Settings
from pulse_core.metrics import switch


@cache
def connect(settings: Settings) -> Broker:
    """The broker that `PULSE_BROKER` names, one for each process: its threads share connections and rate limit."""
    from pulse_core.metrics.broker_calls import Measured

    broker = ADAPTERS[settings.broker].connect(settings, settings.broker, _keys(settings))
    return Measured(broker) if switch.is_on() else broker


def _keys(settings: Settings) -> Keys:
    if settings.broker == "alpaca":
        return Keys(
            settings.alpaca_api_key.get_secret_value(), api_secret=settings.alpaca_api_secret.get_secret_value()
        )
    return Keys(
        settings.kite_api_key.get_secret_value(),
        settings.kite_access_token.get_secret_value(),
        settings.kite_api_secret.get_secret_value(),
    )
