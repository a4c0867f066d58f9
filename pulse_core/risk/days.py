"""The day for which what an account does counts: that of its broker."""

from dataclasses import dataclass
from datetime import datetime

from pulse_core.broker_accounts import directory
from pulse_core.brokers.adapters import limits_of
from pulse_core.config import settings


@dataclass(frozen=True)
class Day:
    """A day of a broker account: its first instant, and that of the day after. An order counts where it begins."""

    broker_account: str
    began: datetime
    ends: datetime


def day_of(broker_account: str, at: datetime) -> Day:
    """The day of a broker account that an instant belongs to. Raises DatabaseUnavailable."""
    known = directory.account_named(broker_account)
    calls = limits_of(known.broker if known is not None else settings().broker, settings())
    return Day(broker_account, calls.day_began(at), calls.day_ends(at))
