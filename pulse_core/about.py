"""What this installation trades, where, and within which limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from api_contract import order_rules
from api_contract.vocabulary import OrderType, Product
from pulse_core.broker_accounts import directory
from pulse_core.broker_accounts.vocabulary import PAPER
from pulse_core.brokers.adapters import limits_of
from pulse_core.brokers.port import CallLimits
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
    """The installation as clients see it; `is_paper`: no money moves.

    `broker_account` is that of orders that name none, and `broker` where it is.
    """

    broker_account: str
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
    """As the settings have it. Raises DatabaseUnavailable where their account is not called as its broker."""
    config = settings()
    name = config.default_broker_account
    known = None if name == config.broker else directory.account_named(name)
    broker = known.broker if known else config.broker
    calls = limits_of(broker, config)
    return InstallationReport(
        broker_account=name,
        broker=broker,
        is_paper=not known.is_live if known else name == PAPER,
        exchanges=sorted(config.pulse_exchanges),
        products=list(Product),
        default_product=Product(config.kite_product),
        order_types=list(OrderType),
        limits=_limits(calls),
        time_zone=str(calls.time_zone),
        version=_version(),
    )


def _limits(calls: CallLimits) -> InstallationLimits:
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
