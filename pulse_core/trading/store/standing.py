"""How the work stands in the whole database, in one statement that costs the same however much it holds."""

from dataclasses import dataclass

from sqlalchemy import Boolean, Float, Integer, String
from sqlalchemy.orm import Session

from api_contract.vocabulary import HoldReason, OrderStatus, SliceStatus
from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.postgres import sql

OPEN_ORDERS = (OrderStatus.PENDING, OrderStatus.IN_PROGRESS, OrderStatus.PAUSED, OrderStatus.CANCELLING)
OPEN_SLICES = (SliceStatus.SCHEDULED, SliceStatus.SENDING, SliceStatus.UNKNOWN, SliceStatus.WORKING)
# Why single orders are held; the other reasons are states of broker accounts.
OF_ORDERS = (HoldReason.FUNDS, HoldReason.HOLDINGS, HoldReason.SESSION, HoldReason.INVALID, HoldReason.LIMIT)


@dataclass(frozen=True)
class Standing:
    """How many orders and slices are open, by status, each at most as many as were looked at.

    `ages` are seconds by what waits, 0 when nothing does: unsplit, overdue, turn_wait, unknown, past_deadline, held,
    fence_silent, commit_wait. `holds` are the orders that are held, `accounts` the broker accounts by state, `halts`
    those in force.
    """

    orders: dict[OrderStatus, float]
    slices: dict[SliceStatus, float]
    ages: dict[str, float]
    is_held: bool
    halts: float
    holds: dict[HoldReason, float]
    accounts: dict[BrokerAccountState, float]


def standing(session: Session, most: int, *, has_turns: bool) -> Standing:
    """Look at no more than `most` rows for each figure. `has_turns`: slices are given turns under a broker's limits."""
    found: dict[str, dict[str, float]] = {"orders": {}, "slices": {}, "ages": {}, "held": {}}
    found |= {"holds": {}, "accounts": {}}
    for what, label, value in session.execute(_STANDING, {"most": most, "has_turns": has_turns}):
        found[what][label] = value
    return Standing(
        orders={status: found["orders"].get(status.value, 0.0) for status in OPEN_ORDERS},
        slices={status: found["slices"].get(status.value, 0.0) for status in OPEN_SLICES},
        ages=found["ages"],
        is_held=found["held"]["now"] > 0,
        halts=found["held"]["halts"],
        holds={reason: found["holds"].get(reason.value, 0.0) for reason in OF_ORDERS},
        accounts={state: found["accounts"].get(state.value, 0.0) for state in BrokerAccountState},
    )


_BINDS: sql.Types = {"most": Integer(), "has_turns": Boolean()}
_STANDING = sql.load(__package__, "standing", _BINDS).columns(what=String(), label=String(), value=Float())
