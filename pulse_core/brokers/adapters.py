"""Which adapter each broker has, and what it allows an account: another broker is one more line of ADAPTERS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pulse_core.brokers.alpaca.limits import LIMITS as ALPACA_LIMITS
from pulse_core.brokers.port import Broker, CallLimits, Identity
from pulse_core.brokers.zerodha.limits import LIMITS as KITE_LIMITS
from pulse_core.config import Settings

if TYPE_CHECKING:
    from pulse_core.brokers.alpaca.broker import AlpacaBroker


@dataclass(frozen=True)
class Keys:
    """What an account is reached with; which of them are needed, the broker says."""

    api_key: str
    access_token: str = ""
    api_secret: str = ""


class Connection(Broker, Protocol):
    """An account that was connected, and can be again with other keys."""

    def with_keys(self, api_key: str, access_token: str, api_secret: str) -> "Connection":
        """The same account, under the same rate limit."""


@dataclass(frozen=True)
class Adapter:
    """How an account of a broker is connected, by its name, how it is asked who it is, and what it is allowed.

    What `identity` gives is a `port.Login` where a person logs in on a page of the broker.
    """

    connect: Callable[[Settings, str, Keys], Connection]
    identity: Callable[[Settings, Keys], Identity]
    limits: CallLimits


def limits_of(broker: str, settings: Settings) -> CallLimits:
    """What an account of this broker may be asked: what the settings say, else what the broker allows."""
    stated = {
        "per_second": settings.broker_orders_per_second,
        "per_minute": settings.broker_orders_per_minute,
        "per_day": settings.broker_orders_per_day,
    }
    found = {name: value for name, value in stated.items() if value is not None}
    day_starts = {"day_starts": settings.paper_day_starts} if broker == "paper" else {}
    return replace(ADAPTERS[broker].limits, **found, **day_starts)  # type: ignore[arg-type]


def _kite(broker: str, root: Callable[[Settings], str]) -> Callable[[Settings, str, Keys], Connection]:
    def connect(settings: Settings, name: str, keys: Keys) -> Connection:
        # Imported here: the client brings a websocket stack along, which only the workers need.
        from pulse_core.brokers.zerodha.broker import ZerodhaBroker

        limits = limits_of(broker, settings)
        return ZerodhaBroker(
            name=name,
            root=root(settings),
            api_key=keys.api_key,
            access_token=keys.access_token,
            api_secret=keys.api_secret,
            product=settings.kite_product,
            market_protection=settings.kite_market_protection,
            algo_id=settings.kite_algo_id,
            timeout=settings.broker_timeout,
            limits=limits,
        )

    return connect


def _kite_login(root: Callable[[Settings], str], *, is_simulated: bool = False) -> Callable[[Settings, Keys], Identity]:
    def identity(settings: Settings, keys: Keys) -> Identity:
        from pulse_core.brokers.zerodha.login import ZerodhaLogin

        return ZerodhaLogin(
            root=root(settings),
            api_key=keys.api_key,
            api_secret=keys.api_secret,
            access_token=keys.access_token or None,
            timeout=settings.broker_timeout,
            is_simulated=is_simulated,
        )

    return identity


def _alpaca(settings: Settings, name: str, keys: Keys) -> "AlpacaBroker":
    from pulse_core.brokers.alpaca.broker import AlpacaBroker

    return AlpacaBroker(
        name=name,
        root=settings.alpaca_root_url,
        api_key=keys.api_key,
        api_secret=keys.api_secret,
        timeout=settings.broker_timeout,
        limits=limits_of("alpaca", settings),
    )


def _alpaca_identity(settings: Settings, keys: Keys) -> Identity:
    return _alpaca(settings, "alpaca", keys)


def _paper_root(settings: Settings) -> str:
    return settings.paper_exchange_url


def _kite_root(settings: Settings) -> str:
    return settings.kite_root_url


ADAPTERS: Mapping[str, Adapter] = {
    # The paper exchange speaks Zerodha's protocol.
    "paper": Adapter(_kite("paper", _paper_root), _kite_login(_paper_root, is_simulated=True), KITE_LIMITS),
    "zerodha": Adapter(_kite("zerodha", _kite_root), _kite_login(_kite_root), KITE_LIMITS),
    "alpaca": Adapter(_alpaca, _alpaca_identity, ALPACA_LIMITS),
}
