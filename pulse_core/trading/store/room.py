"""What an account has room for, as the statement that accepts an order compares it with what it has."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from api_contract.risk_rules import RiskLimits
from pulse_core.risk.days import Day
from pulse_core.trading.store import day_used
from pulse_core.trading.store.day_used import Used

# Where there is none: more than anybody can have.
NO_CAP = 2**31 - 1
_ANY_QUANTITY = 2**62
_ANY_WORTH = Decimal(10) ** 30
_STATED = ("most_orders", "most_slices", "most_due", "due_since", "due_by")


@dataclass(frozen=True)
class DayRoom:
    """The limits of an account that are about a minute or a `day`, and the worth of its new order as far as known."""

    limits: RiskLimits
    day: Day
    worth: Decimal | None

    def binds(self, account_id: str, now: datetime) -> dict[str, Any]:
        """The parameters of the statement; without a limit, more than anybody can use."""
        limits = self.limits
        return day_used.binds(account_id, self.day, now) | {
            "most_placed": limits.orders_per_minute or NO_CAP,
            "most_quantity": limits.day_quantity or _ANY_QUANTITY,
            "most_worth": limits.day_worth or _ANY_WORTH,
            "worth": self.worth or Decimal(0),
        }


@dataclass(frozen=True)
class Room:
    """What an account may have open with a new order: orders, unsent slices, and those that come due in a stretch.

    `of_day`: what it may do besides, where its limits are about more.
    """

    most_orders: int
    most_slices: int
    most_due: int
    due_since: datetime
    due_by: datetime
    of_day: DayRoom | None = None

    def binds(self, account_id: str, asked: int, now: datetime) -> dict[str, Any]:
        """The parameters of the statement for a new order of `asked` slices."""
        stated = {name: getattr(self, name) for name in _STATED}
        of_day = {} if self.of_day is None else self.of_day.binds(account_id, now)
        return {"account_id": account_id, "asked": asked, **stated, **of_day}


@dataclass(frozen=True)
class Load:
    """What an account has open of that, and what it has used where its limits are about more."""

    orders: int = 0
    slices: int = 0
    due: int = 0
    used: Used | None = None
