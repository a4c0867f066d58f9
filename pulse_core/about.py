"""What this installation trades, where, and within which limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from api_contract import order_rules
from api_contract.vocabulary import OrderType, Product
from pulse_core.brokers.adapters import limits_of
from pulse_core.config import settings


@dataclass(frozen=True)
class Range:
    """Both ends are included."""

    min: int
    max: int


@dataclass(frozen=True)
class InstallationLimits:
    """What an order may ask for, and how often the broker may be called; None: no limit."""

    total_quantity: Range
    num_splits: Range
    duration_minutes: Range
    slice_timeout_seconds: Range
    start_within_days: int
    broker_calls_per_second: int | None
    broker_calls_per_minute: int | None
    broker_calls_per_day: int | None


@dataclass(frozen=True)
class InstallationReport:
    """The installation as clients see it; `is_paper`: no money moves."""

    broker: str
    is_paper: bool
    exchanges: Sequence[str]
    products: Sequence[Product]
    default_product: Product
    order_types: Sequence[OrderType]
    limits: InstallationLimits
    time_zone: str
    version: str


def installation_report() -> InstallationReport:
    """As the settings have it."""
    config = settings()
    return InstallationReport(
        broker=config.broker,
        is_paper=config.broker == "paper",
        exchanges=sorted(config.pulse_exchanges),
        products=list(Product),
        default_product=Product(config.kite_product),
        order_types=list(OrderType),
        limits=_limits(),
        time_zone=str(limits_of(config.broker, config).time_zone),
        version=_version(),
    )


def _limits() -> InstallationLimits:
    config = settings()
    calls = limits_of(config.broker, config)
    return InstallationLimits(
        total_quantity=Range(1, order_rules.MAX_QUANTITY),
        num_splits=Range(order_rules.MIN_SPLITS, order_rules.MAX_SPLITS),
        duration_minutes=Range(order_rules.MIN_MINUTES, order_rules.MAX_MINUTES),
        slice_timeout_seconds=Range(order_rules.MIN_TIMEOUT, order_rules.MAX_TIMEOUT),
        start_within_days=order_rules.FARTHEST_START.days,
        broker_calls_per_second=calls.per_second or None,
        broker_calls_per_minute=calls.per_minute or None,
        broker_calls_per_day=calls.per_day or None,
    )


@cache
def _version() -> str:
    try:
        return version("pulse-execution")
    except PackageNotFoundError:
        return "unknown"
