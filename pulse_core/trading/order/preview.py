"""What an order would be and cost, without making it: its schedule, what should be known of it, and a plan token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from api_contract.errors import InvalidRequest
from api_contract.order_rules import NewOrder, check_new_order
from api_contract.policy_rules import POLICY
from api_contract.vocabulary import AtEnd, CatchUp, Leftover, Side
from pulse_core.config import settings
from pulse_core.markets import files, hours
from pulse_core.trading.order import plan_tokens
from pulse_core.trading.order.accept import checked_row
from pulse_core.trading.order.costs import Money, money_of
from pulse_core.trading.order.plan_warnings import Warned, of_money, of_plan
from pulse_core.trading.order.planning import plan_for_row, time_for
from pulse_core.trading.schedule import PlannedSlice
from pulse_core.trading.trading_time import TradingTime


@dataclass(frozen=True)
class OrderPreview:
    """An order that is not made. Prices and money are in `currency`; `worth` is quantity times `price`.

    The token is good until `expires_at`.
    """

    order_unique_key: str
    instrument: str
    side: Side
    total_quantity: int
    broker_account: str
    start_at: datetime
    end_at: datetime
    slices: Sequence[PlannedSlice]
    warnings: Sequence[Warned]
    currency: str | None
    price: Decimal | None
    worth: Decimal | None
    money: Money
    plan_token: str
    expires_at: datetime
    catch_up: CatchUp
    max_slice_multiple: int
    extend_minutes: int
    leftover: Leftover
    at_end: AtEnd


def preview_order(account_id: str, new_order: NewOrder, now: datetime) -> OrderPreview:
    """What would become of an order that is placed now.

    Raises whatever `submit_order` refuses it with, but for RiskLimit, which is a warning here.
    """
    check_new_order(new_order, settings().pulse_exchanges)
    row = checked_row(account_id, new_order, now)
    time = time_for(row, hours.current())
    planned = _planned(row, time)
    plan = plan_tokens.plan_for(new_order, row, time, planned, now)
    money = money_of(row, planned)
    price = new_order.limit_price or money.last_price
    return OrderPreview(
        order_unique_key=new_order.order_unique_key,
        instrument=new_order.instrument,
        side=new_order.side,
        total_quantity=new_order.total_quantity,
        broker_account=row["broker"],
        start_at=row["start_at"],
        end_at=row["end_at"],
        slices=planned,
        warnings=[*of_plan(row, time, now), *of_money(row, money)],
        currency=files.currency_of(new_order.instrument),
        price=price,
        worth=None if price is None else price * new_order.total_quantity,
        money=money,
        plan_token=plan_tokens.sealed(plan, account_id),
        expires_at=plan_tokens.expiry(plan),
        **{name: row[name] for name in POLICY},
    )


def _planned(row: Mapping[str, Any], time: TradingTime) -> list[PlannedSlice]:
    try:
        return plan_for_row(row, time)
    except ValueError as error:
        raise InvalidRequest(str(error), {"field": "split_config", "rule": "slices that can be planned"}) from None
