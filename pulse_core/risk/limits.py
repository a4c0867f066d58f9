"""The limits in force for an account: its own, and for broker accounts with real money those of the installation.

Each process reads them at most once a second: a change holds everywhere a second later.
"""

from collections.abc import Mapping

from api_contract.kept import Kept
from api_contract.risk_rules import RiskLimits
from pulse_core import db
from pulse_core.broker_accounts import directory
from pulse_core.config import Settings, settings
from pulse_core.risk.rules import NO_LIMITS, merged
from pulse_core.risk.store import limits as store


def of(account_id: str, broker_account: str) -> RiskLimits:
    """What an account may do at most with a broker account. Not inside a transaction. Raises DatabaseUnavailable."""
    own = _kept.get().get(account_id, NO_LIMITS)
    known = directory.account_named(broker_account)
    if known is None or not known.is_live:
        return own
    default = default_of(settings())
    return default if own is NO_LIMITS else merged(own, default)


def default_of(config: Settings) -> RiskLimits:
    """What holds for all accounts with real money, as far as they have nothing of their own."""
    return RiskLimits(
        order_quantity=config.live_order_quantity or None,
        order_worth=config.live_order_worth or None,
        day_quantity=config.live_day_quantity or None,
        day_worth=config.live_day_worth or None,
        orders_per_minute=config.live_orders_per_minute or None,
        price_collar_percent=config.live_price_collar_percent or None,
    )


def forget() -> None:
    """Read them anew when next asked."""
    _kept.forget()


def _read() -> Mapping[str, RiskLimits]:
    with db.statement() as connection:
        return store.every(connection)


_kept = Kept(_read)
