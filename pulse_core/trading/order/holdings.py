"""Whether a new order would sell shares that are not there: asked at the door where real money is traded."""

from collections.abc import Mapping
from datetime import datetime
from time import monotonic
from typing import Any

from api_contract.errors import InsufficientHoldings
from api_contract.log import get_logger
from pulse_core.broker_accounts import directory
from pulse_core.brokers.adapters import limits_of
from pulse_core.brokers.money import NotTold
from pulse_core.config import settings
from pulse_core.trading.order.costs import promised_by_others, sells_shares, teller

log = get_logger(__name__)

# A client waits for its answer.
LONGEST_SECONDS = 1.5
# A broker that did not tell is not asked for so long: others wait for their answers too.
REST_SECONDS = 10.0


def are_asked_for(row: Mapping[str, Any], now: datetime) -> bool:
    """Whether an order with this row sells, today, shares of an account that can be asked about them.

    Raises DatabaseUnavailable. Not inside a transaction.
    """
    if not sells_shares(row):
        return False
    account = directory.account_named(row["broker"])
    if account is None or not account.is_live or monotonic() < _rests_until.get(account.name, float("-inf")):
        return False
    day = limits_of(account.broker, settings()).day
    return day(row["start_at"]) <= day(now)


def check_holdings(row: Mapping[str, Any]) -> None:
    """Raise InsufficientHoldings where the broker says, in time, that less can be sold than an order would sell.

    Not inside a transaction. Raises DatabaseUnavailable.
    """
    broker_account, instrument, quantity = row["broker"], row["instrument"], row["total_quantity"]
    try:
        held = teller(broker_account, LONGEST_SECONDS).holdings([instrument])[instrument]
    except NotTold as error:
        _rests_until[broker_account] = monotonic() + REST_SECONDS
        log.info("holdings not told", broker_account=broker_account, reason=str(error))
        return
    promised = promised_by_others(broker_account, instrument)
    free = max(held - promised, 0)
    if quantity > free:
        raise InsufficientHoldings(
            f"the order would sell {quantity} of {instrument}, and {free} are free to be sold",
            {
                "field": "total_quantity",
                "instrument": instrument,
                "total_quantity": quantity,
                "holdings": held,
                "promised": promised,
                "free": free,
            },
        )


_rests_until: dict[str, float] = {}
