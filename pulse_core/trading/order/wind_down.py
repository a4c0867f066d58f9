"""Pause or cancel every open order of an account, as when its user leaves."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from api_contract.errors import InvalidState
from api_contract.vocabulary import OpenOrders, OrderStatus
from pulse_core import db
from pulse_core.boottime import boottime
from pulse_core.owner import OneAccount
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import pause_order
from pulse_core.trading.store import orders

# The orders that are not as they should be.
_TO_CHANGE: dict[OpenOrders, frozenset[OrderStatus]] = {
    OpenOrders.KEEP: frozenset(),
    OpenOrders.PAUSE: frozenset({OrderStatus.PENDING, OrderStatus.IN_PROGRESS}),
    OpenOrders.CANCEL: frozenset({OrderStatus.PENDING, OrderStatus.IN_PROGRESS, OrderStatus.PAUSED}),
}


@dataclass(frozen=True)
class WoundDown:
    """How many orders were changed, and how many are not as they should be yet."""

    changed: int
    left: int


def wind_down(account_id: str, wish: OpenOrders, actor: str, now: datetime, within: timedelta) -> WoundDown:
    """Do it to one order after the other, for so long; whoever asks again goes on where this one ended.

    An order that is still to be split cannot be paused, and counts as left until it is.
    """
    ends_at, changed = boottime() + within.total_seconds(), 0
    for order_id in _open(account_id, wish):
        if boottime() >= ends_at:
            break
        # It may have ended meanwhile.
        with suppress(InvalidState):
            if wish is OpenOrders.PAUSE:
                pause_order(OneAccount(account_id), order_id, actor, now)
            else:
                cancel_order(OneAccount(account_id), order_id, now, actor)
            changed += 1
    return WoundDown(changed, len(_open(account_id, wish)))


def _open(account_id: str, wish: OpenOrders) -> list[str]:
    with db.transaction() as session:
        return orders.in_statuses(session, account_id, _TO_CHANGE[wish])
