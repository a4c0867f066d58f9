"""Accept an order: one row, one commit, and the order can no longer be forgotten."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ulid import ULID

from api_contract import ids
from api_contract.errors import (
    BeyondCalendar,
    BrokerAccountNotGranted,
    DuplicateOrderUniqueKey,
    Halted,
    InvalidRequest,
    MarketClosed,
    NotListedSo,
    PlanChanged,
    RiskLimit,
    UnknownBrokerAccount,
)
from api_contract.log import current_trace, get_logger
from api_contract.order_rules import NewOrder, check_new_order, check_start
from api_contract.policy_rules import POLICY
from api_contract.vocabulary import AtEnd, OrderStatus
from pulse_core import db, queue
from pulse_core.broker_accounts import access
from pulse_core.config import settings
from pulse_core.failpoints import failpoint
from pulse_core.instruments import current as instruments
from pulse_core.instruments.listed import Listed
from pulse_core.markets import hours
from pulse_core.markets.windows import Window
from pulse_core.metrics.slices import note_order
from pulse_core.policies import in_force as policies
from pulse_core.tasks import Task
from pulse_core.trading import slice_ids
from pulse_core.trading.order import halted, holdings, plan_tokens, risk
from pulse_core.trading.order.planning import time_for
from pulse_core.trading.order.windows import whole_minutes, window_of
from pulse_core.trading.store import events, new_orders, orders
from pulse_core.trading.store.installation import client_order_id_key
from pulse_core.trading.store.room import Load, Room
from pulse_core.trading.tables import Order

log = get_logger(__name__)

# The columns that hold what the client stated, by the name the client knows them under.
STATED = {
    "instrument": "instrument",
    "side": "side",
    "total_quantity": "total_quantity",
    "num_splits": "split_config.num_splits",
    "until_close": "split_config.until_close",
    "randomize": "split_config.randomize",
    "order_type": "order_type",
    "limit_price": "limit_price",
    "product": "product",
    "session": "session",
    "slice_timeout_seconds": "slice_timeout_seconds",
    "client_note": "client_note",
    **{name: name for name in POLICY},
}

# What is held against a new order, and not against the repeat of one that was accepted.
_REFUSED_WHEN_NEW = (
    InvalidRequest,
    MarketClosed,
    BeyondCalendar,
    Halted,
    NotListedSo,
    UnknownBrokerAccount,
    BrokerAccountNotGranted,
    PlanChanged,
    RiskLimit,
)


@dataclass(frozen=True)
class Submission:
    """The order's id, and whether this call made it."""

    order_id: str
    is_new: bool


def submit_order(account_id: str, new_order: NewOrder, now: datetime) -> Submission:
    """Accept an order, or find the one that was accepted under the same unique key.

    Raises InvalidRequest or a narrower kind, UnknownBrokerAccount, BrokerAccountNotGranted, NotListedSo, MarketClosed,
    BeyondCalendar, Halted, PlanChanged, InsufficientHoldings, DuplicateOrderUniqueKey, RiskLimit, DatabaseUnavailable.
    """
    check_new_order(new_order, settings().pulse_exchanges)
    try:
        row = _planned_row(account_id, new_order, now)
        standing = risk.standing_of(account_id, row["broker"], new_order.instrument, new_order.limit_price)
        row["reckoned_price"] = standing.last_price
        risk.check_terms(row, standing)
        if holdings.are_asked_for(row, now) and _known(account_id, new_order) is None:
            holdings.check_holdings(row)
    except _REFUSED_WHEN_NEW:
        # A repeat finds its order whatever time it is by now, what is halted or listed, and whatever one may do by now.
        if (earlier := _known(account_id, new_order)) is not None:
            return earlier
        raise
    failpoint("intake.before_commit")
    room = risk.room_for(row, standing, now)
    with db.statement() as connection:
        load = new_orders.add(connection, row, room)
    failpoint("intake.after_commit")
    if load is not None:
        return _earlier(row, new_order, room, load)
    # After the commit: a worker must find the row, and a lost message is found by the sweep.
    queue.wake(Task.SPLIT_ORDER, row["id"])
    failpoint("intake.after_wakeup")
    note_order(OrderStatus.PENDING)
    log.info("order accepted", order_id=row["id"], account_id=account_id)
    return Submission(row["id"], is_new=True)


def _earlier(row: dict[str, Any], new_order: NewOrder, room: Room | None, load: Load) -> Submission:
    with db.transaction() as session:
        order = orders.by_unique_key(session, row["account_id"], new_order.order_unique_key)
    if order is None:
        # Only where there is a cap can an order be turned away.
        assert room is not None  # noqa: S101
        raise risk.refusal(room, load, row)
    _check_same(order, new_order)
    return Submission(order.id, is_new=False)


def _known(account_id: str, new_order: NewOrder) -> Submission | None:
    with db.transaction() as session:
        order = orders.by_unique_key(session, account_id, new_order.order_unique_key)
    if order is None:
        return None
    _check_same(order, new_order)
    return Submission(order.id, is_new=False)


def _planned_row(account_id: str, new_order: NewOrder, now: datetime) -> dict[str, Any]:
    """The row of a new order; one with a plan token begins when its preview said."""
    if new_order.plan_token is None:
        row = checked_row(account_id, new_order, now)
        # Placed again after a restore that forgot it, an order is cut into the same slices.
        return row | {"seed": slice_ids.seed(client_order_id_key(), account_id, new_order.order_unique_key)}
    plan = plan_tokens.opened(new_order.plan_token, account_id)
    row = checked_row(account_id, new_order, plan.at) | {"seed": plan.seed}
    plan_tokens.hold_to(plan, new_order, row, time_for(row, hours.current()), now)
    return row | {"id": ids.order_id(ULID.from_datetime(now)), "created_at": now, "updated_at": now}


def checked_row(account_id: str, new_order: NewOrder, now: datetime) -> dict[str, Any]:
    """The row that a valid order would have if it came now, with a seed of its own.

    Raises InvalidRequest, UnknownBrokerAccount, BrokerAccountNotGranted, NotListedSo, MarketClosed, BeyondCalendar,
    Halted, DatabaseUnavailable.
    """
    check_start(new_order.start_at, now)
    broker_account = access.broker_account_of(account_id, new_order.broker_account)
    halted.check_order(account_id, broker_account, new_order.instrument)
    listed = instruments.check_order(broker_account, new_order)
    window = window_of(new_order, broker_account, now)
    instruments.check_window(listed, window)
    return _row(account_id, broker_account, new_order, window, now) | _sizes(listed)


def _row(account_id: str, broker_account: str, new_order: NewOrder, window: Window, now: datetime) -> dict[str, Any]:
    asked = max(new_order.start_at or now, now)
    stated = {name: getattr(new_order, name) for name in STATED} | _policy(account_id, new_order)
    return {
        "id": ids.order_id(ULID.from_datetime(now)),
        "account_id": account_id,
        "order_unique_key": new_order.order_unique_key,
        "broker": broker_account,
        **stated,
        "duration_minutes": new_order.duration_minutes or whole_minutes(window),
        "seed": secrets.randbits(63),
        "start_at": window.start,
        "end_at": window.end,
        "asked_start_at": None if window.start == asked else asked,
        "replan_at": _replan_at(stated, window),
        "created_at": now,
        "updated_at": now,
        "trace": current_trace(),
    }


def _policy(account_id: str, new_order: NewOrder) -> dict[str, Any]:
    """How it catches up: as it says, else by the default of its account."""
    default = policies.of(account_id)
    stated = {name: getattr(new_order, name) for name in POLICY}
    return {name: getattr(default, name) if value is None else value for name, value in stated.items()}


def _replan_at(stated: Mapping[str, Any], window: Window) -> datetime | None:
    """Its last slice is planned when its window is over."""
    return window.end + timedelta(minutes=stated["extend_minutes"]) if stated["at_end"] is AtEnd.MARKET else None


def _sizes(listed: Listed | None) -> dict[str, Any]:
    if listed is None:
        return {"lot_size": 1, "most_per_slice": None}
    return {"lot_size": listed.lot_size, "most_per_slice": listed.most_per_order}


def _check_same(order: Order, new_order: NewOrder) -> None:
    placed = {name: getattr(order, name) for name in (*STATED, "duration_minutes")}
    differs = _different(placed, new_order)
    if differs:
        # It may have been amended since it was placed.
        with db.transaction() as session:
            placed |= events.before_amendments(session, order.id)
        differs = _different(placed, new_order)
    # Without one it is whatever was the installation's when the order was made.
    if new_order.broker_account not in (None, order.broker_account):
        differs.append("broker_account")
    # The start of an order with a plan token may have passed before it was made.
    asked = max(order.asked_start_at or order.start_at, order.created_at)
    if asked != max(new_order.start_at or order.created_at, order.created_at):
        differs.append("start_at")
    if differs:
        raise DuplicateOrderUniqueKey(
            f"order_unique_key was used before for an order that differs in {', '.join(differs)}",
            {
                "field": "order_unique_key",
                "order_unique_key": order.order_unique_key,
                "existing_order_id": order.id,
                "differs": differs,
            },
        )


def _is_other(name: str, placed: object, stated: object) -> bool:
    """Without a policy it is whatever was its account's when the order was made."""
    return stated != placed and not (stated is None and name in POLICY)


def _different(placed: Mapping[str, Any], new_order: NewOrder) -> list[str]:
    """What the client stated otherwise, by the names it knows."""
    price = placed["limit_price"]
    stated = {**placed, "limit_price": None if price is None else Decimal(price)}
    differs = [shown for name, shown in STATED.items() if _is_other(name, stated[name], getattr(new_order, name))]
    if new_order.duration_minutes is not None and new_order.duration_minutes != placed["duration_minutes"]:
        differs.append("split_config.duration_minutes")
    return differs
