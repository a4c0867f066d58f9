"""The brokers Pulse can trade with, behind the one port of `port.py`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from threading import Lock
from typing import TYPE_CHECKING

from pulse_core.broker_accounts import credentials
from pulse_core.broker_accounts.credentials import PAPER
from pulse_core.broker_accounts.vault import Credentials
from pulse_core.brokers.port import Broker, Login
from pulse_core.config import Settings
from pulse_core.metrics import switch

if TYPE_CHECKING:
    from pulse_core.brokers.zerodha.broker import ZerodhaBroker


def connect(settings: Settings) -> Broker:
    """The broker that `PULSE_BROKER` names, one for each process: its threads share the connections and the rate limit.

    With newer credentials it is another, which shares them too. The paper exchange speaks Zerodha's protocol, so both
    are one adapter. Raises DatabaseUnavailable, CredentialsShut.
    """
    given = credentials.current(settings.broker)
    with _connecting:
        held = _held.get(settings.broker)
        if held is None or held.settings != settings or held.given != given:
            held = _held[settings.broker] = _Held(settings, given, *_connected(settings, given, held))
    return held.broker


def login(settings: Settings, given: Credentials) -> Login:
    """How a person logs the account of these credentials in."""
    from pulse_core.brokers.zerodha.login import ZerodhaLogin

    return ZerodhaLogin(
        root=_root(settings, given.account),
        api_key=given.api_key,
        api_secret=given.api_secret,
        access_token=given.access_token,
        timeout=settings.broker_timeout,
        is_simulated=given.account == PAPER,
    )


@dataclass(frozen=True)
class _Held:
    """A connection, and what it was made of; `broker` is the adapter, measured or not."""

    settings: Settings
    given: Credentials
    adapter: ZerodhaBroker
    broker: Broker


def _connected(settings: Settings, given: Credentials, former: _Held | None) -> tuple[ZerodhaBroker, Broker]:
    # Imported here: the client brings a websocket stack along, which only the workers need.
    from pulse_core.brokers.zerodha.broker import ZerodhaBroker
    from pulse_core.metrics.broker_calls import Measured

    token = given.access_token or ""
    if former is not None and former.settings == settings:
        adapter = former.adapter.with_token(given.api_key, token)
    else:
        adapter = ZerodhaBroker(
            name=settings.broker,
            root=_root(settings, settings.broker),
            api_key=given.api_key,
            access_token=token,
            product=settings.kite_product,
            market_protection=settings.kite_market_protection,
            timeout=settings.broker_timeout,
            orders_per_second=settings.broker_orders_per_second,
            day_starts=settings.paper_day_starts if settings.broker == "paper" else time(0),
        )
    return adapter, Measured(adapter) if switch.is_on() else adapter


def _root(settings: Settings, account: str) -> str:
    return settings.paper_exchange_url if account == PAPER else settings.kite_root_url


_connecting = Lock()
_held: dict[str, _Held] = {}
