"""Limits of accounts that what happened since may have made too narrow: looked at before a slice is sent."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from api_contract.errors import RiskLimit
from api_contract.risk_rules import RiskLimits
from api_contract.vocabulary import HoldReason, Product
from pulse_core import db
from pulse_core.config import settings
from pulse_core.risk import limits as risk_limits
from pulse_core.risk import rules
from pulse_core.risk.days import day_of
from pulse_core.risk.rules import DayUsed, Terms
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.slice.claiming import Claim
from pulse_core.trading.store import day_used, events, holds, orders, prices, slices
from pulse_core.trading.tables import Order

# The code of an attempt that was not sent for it.
LIMIT = "LIMIT"
# An order that is held for a limit is looked at again so often.
LOOKED_AT_AGAIN = timedelta(seconds=10)


@dataclass(frozen=True)
class _Sent:
    """What of an order is about to be sent."""

    slice_id: str
    instrument: str
    product: Product | None
    quantity: int
    limit_price: Decimal | None
    last_price: Decimal | None
    reckoned_price: Decimal | None

    @property
    def worth(self) -> Decimal | None:
        price = self.limit_price or self.last_price or self.reckoned_price
        return None if price is None else price * self.quantity


def stopped(claimed: Sequence[Claim], broker_account: str) -> dict[str, str]:
    """Why slices may not be sent, by their ids. Costs a statement only where the day of an account is limited.

    What other batches send at this moment counts as sent: together they pass no limit. Raises DatabaseUnavailable.
    """
    by_account: dict[str, list[Claim]] = defaultdict(list)
    for one in claimed:
        by_account[one.claimed.account_id].append(one)
    found: dict[str, str] = {}
    for account_id, claims in by_account.items():
        limits = risk_limits.of(account_id, broker_account)
        if limits == rules.NO_LIMITS:
            continue
        sent = [_of_claim(one) for one in claims]
        used = None
        if rules.has_day(limits):
            day = day_of(broker_account, claims[0].claimed.claimed_at)
            with db.statement() as connection:
                used = day_used.sent(connection, account_id, day, [one.slice_id for one in sent])
        found |= _passing(limits, sent, used)
    return found


def hold_order(session: Session, order: Order, message: str | None, now: datetime) -> None:
    """Hold a locked order whose slice would pass a limit, until that is over."""
    if holds.hold(session, order, HoldReason.LIMIT, now, message, now + LOOKED_AT_AGAIN):
        events.alarm(session, AlarmCode.LIMIT_REACHED, order.id, None, now, message=message)


def is_still_limited(order_id: str, now: datetime) -> bool:
    """Whether the next slice of an order that is held for a limit would still pass it. Not inside a transaction."""
    with db.transaction() as session:
        order = orders.get(session, order_id)
        if order is None or order.hold is not HoldReason.LIMIT:
            return False
        unsent = slices.unsent(session, order_id)
    if not unsent:
        return False
    limits = risk_limits.of(order.account_id, order.broker_account)
    if limits == rules.NO_LIMITS:
        return False
    day = day_of(order.broker_account, now)
    with db.statement() as connection:
        used = day_used.sent(connection, order.account_id, day, []) if rules.has_day(limits) else None
        last_price = prices.last_price(connection, order.broker_account, order.instrument)
    terms = (order.instrument, order.product, unsent[0].quantity - unsent[0].filled_quantity)
    sent = _Sent(unsent[0].id, *terms, order.limit_price, last_price, order.reckoned_price)
    return bool(_passing(limits, [sent], used))


def _passing(limits: RiskLimits, sent: Sequence[_Sent], used: DayUsed | None) -> dict[str, str]:
    """Those that would pass a limit, one after the other: what is let go leaves less to the next."""
    found: dict[str, str] = {}
    for one in sent:
        product = one.product or Product(settings().kite_product)
        try:
            rules.check_standing(limits, Terms(one.instrument, product, one.quantity, one.limit_price, one.last_price))
            if used is not None:
                rules.check_day(limits, used, one.quantity, one.worth)
                used = DayUsed(used.quantity + one.quantity, used.worth + (one.worth or 0))
        except RiskLimit as refused:
            found[one.slice_id] = refused.message
    return found


def _of_claim(claim: Claim) -> _Sent:
    one = claim.claimed
    terms = (one.instrument, one.product, one.quantity, one.limit_price, one.last_price, one.reckoned_price)
    return _Sent(one.slice_id, *terms)
