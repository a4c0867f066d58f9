"""What an account may do at most, what of that it has used, and what is left."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from api_contract.errors import NotFound
from api_contract.risk_rules import LimitName, RiskLimits
from pulse_core import brokers, db
from pulse_core.broker_accounts import directory
from pulse_core.brokers.port import BookUnavailable
from pulse_core.config import settings
from pulse_core.risk import limits, rules, setting
from pulse_core.risk.days import day_of
from pulse_core.trading.store import day_used, orders


@dataclass(frozen=True)
class UsedReport:
    """What counts for the broker's day, is open, and was placed within the last minute."""

    day_quantity: int
    day_worth: Decimal
    open_orders: int
    orders_per_minute: int


@dataclass(frozen=True)
class LeftReport:
    """What is left of each, None without a limit."""

    day_quantity: int | None
    day_worth: Decimal | None
    open_orders: int | None
    orders_per_minute: int | None


@dataclass(frozen=True)
class NotEnforced:
    """A limit that cannot be checked for orders of this broker account, and why."""

    limit: LimitName
    reason: str


@dataclass(frozen=True)
class AccountLimits:
    """The limits of an account for its orders with a broker account."""

    account_id: str
    broker_account: str
    day_ends_at: datetime
    own: RiskLimits
    in_force: RiskLimits
    used: UsedReport
    left: LeftReport
    not_enforced: list[NotEnforced]


def limits_report(account_id: str, broker_account: str | None, now: datetime) -> AccountLimits:
    """What an account may do with a broker account, by default the installation's. Raises NotFound."""
    name = broker_account or settings().default_broker_account
    if directory.account_named(name) is None:
        raise NotFound(f"there is no broker account {name}", {"field": "broker_account", "broker_account": name})
    own = setting.own_of(account_id)
    found = limits.of(account_id, name)
    most_open = found.open_orders or settings().open_orders_per_account or None
    in_force, day = replace(found, open_orders=most_open), day_of(name, now)
    with db.transaction() as session:
        seen = day_used.read(session, account_id, day, now)
        open_orders = orders.count_open(session, account_id)
    used = UsedReport(seen.day.quantity, seen.day.worth, open_orders, seen.placed)
    left = LeftReport(
        day_quantity=rules.left(in_force.day_quantity, used.day_quantity),
        day_worth=rules.left(in_force.day_worth, used.day_worth),
        open_orders=rules.left(in_force.open_orders, used.open_orders),
        orders_per_minute=rules.left(in_force.orders_per_minute, used.orders_per_minute),
    )
    return AccountLimits(account_id, name, day.ends, own, in_force, used, left, _not_enforced(name, in_force))


def set_limits(account_id: str, stated: RiskLimits, actor: str, now: datetime) -> AccountLimits:
    """Set all limits of an account, and what they come to. Raises InvalidRequest, NotFound."""
    setting.set_limits(account_id, stated, actor, now)
    return limits_report(account_id, None, now)


def _not_enforced(broker_account: str, in_force: RiskLimits) -> list[NotEnforced]:
    if _tells_prices(broker_account):
        return []
    why = {
        LimitName.ORDER_WORTH: "the broker tells no prices here: market orders are not held to it",
        LimitName.DAY_WORTH: "the broker tells no prices here: market orders count once they are filled",
        LimitName.PRICE_COLLAR: "the broker tells no prices here",
        LimitName.VOLUME_SHARE: "the broker tells no volumes here",
    }
    return [NotEnforced(name, reason) for name, reason in why.items() if getattr(in_force, name) is not None]


def _tells_prices(broker_account: str) -> bool:
    try:
        return brokers.connect(broker_account).quoter is not None
    except BookUnavailable:
        return False
