"""Whose account it is, and whether it may trade. https://docs.alpaca.markets/reference/getaccount-1"""

import re
from collections.abc import Mapping
from typing import Any

from pulse_core.brokers.port import ACCOUNT_BLOCKED, OutcomeUnknown, Refused, Scope

_NUMBER = re.compile("[A-Za-z0-9_-]{1,64}")
_BLOCKS = ("account_blocked", "trading_blocked", "trade_suspended_by_user")


def user_of(row: Mapping[str, Any]) -> str:
    """The number of an account that may trade. Raises Refused where it may not, OutcomeUnknown for half an answer."""
    number = row.get("account_number")
    if not isinstance(number, str) or not _NUMBER.fullmatch(number):
        raise OutcomeUnknown("NO_USER", "the broker's answer does not say whose account it is")
    stands = [name for name in _BLOCKS if row.get(name) is not False]
    status = row.get("status")
    if status != "ACTIVE":
        stands.append(f"status {str(status)[:32]}")
    if stands:
        message = f"the account {number} may not trade: {', '.join(stands)}"
        raise Refused(ACCOUNT_BLOCKED, message, Scope.ACCOUNT)
    return number
