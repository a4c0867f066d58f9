"""What a trader should know of an order before placing it, though it may be placed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from api_contract.errors import RiskLimit
from api_contract.vocabulary import BrokerAccountState, PlanWarning, Side
from pulse_core import db
from pulse_core.broker_accounts import directory
from pulse_core.trading.order import risk
from pulse_core.trading.order.costs import Money
from pulse_core.trading.store import new_orders
from pulse_core.trading.store.room import Room
from pulse_core.trading.trading_time import TradingTime


@dataclass(frozen=True)
class Warned:
    """One warning: a code, a sentence for a person, and its figures."""

    code: PlanWarning
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


def of_plan(row: Mapping[str, Any], time: TradingTime, now: datetime) -> Iterator[Warned]:
    """Those of the schedule of an order that had this row. Not inside a transaction. Raises DatabaseUnavailable."""
    yield from _of_account(row["broker"])
    yield from _of_hours(row, time)
    yield from _of_lots(row)
    yield from _of_room(row, now)


def of_money(row: Mapping[str, Any], money: Money) -> Iterator[Warned]:
    """Those of what it needs, as far as its broker has told."""
    if money.margin is not None and money.funds is not None and money.margin > money.funds:
        message = f"the order needs a margin of {money.margin}, and the account has {money.funds}"
        yield Warned(PlanWarning.FUNDS_SHORT, message, {"margin": f"{money.margin:f}", "funds": f"{money.funds:f}"})
    free = money.holdings_free
    if row["side"] is Side.SELL and free is not None and row["total_quantity"] > free:
        message = f"the order would sell {row['total_quantity']}, and {max(free, 0)} are free to be sold"
        details = {"total_quantity": row["total_quantity"], "holdings": money.holdings, "free": max(free, 0)}
        yield Warned(PlanWarning.HOLDINGS_SHORT, message, details)


def _of_account(name: str) -> Iterator[Warned]:
    account = directory.account_named(name)
    if account is not None and account.state is not BrokerAccountState.READY:
        message = f"the broker account {name} is {account.state}: {account.state.meaning}"
        yield Warned(PlanWarning.ACCOUNT_HELD, message, {"broker_account": name, "state": account.state.value})


def _of_hours(row: Mapping[str, Any], time: TradingTime) -> Iterator[Warned]:
    if row["asked_start_at"] is not None:
        message = f"the market is closed then: the first slice goes out at {_shown(row['start_at'])}"
        details = {"asked_start_at": _shown(row["asked_start_at"]), "start_at": _shown(row["start_at"])}
        yield Warned(PlanWarning.BEGINS_LATER, message, details)
    pauses = [
        {"start": _shown(end), "end": _shown(start)}
        for (_, end), (start, _) in zip(time.stretches, time.stretches[1:], strict=False)
    ]
    if pauses:
        message = f"the market takes no orders from {pauses[0]['start']} to {pauses[0]['end']}, and slices wait"
        yield Warned(PlanWarning.PAUSES, message, {"pauses": pauses})
    last = time.stretches[-1][1]
    if last < row["end_at"]:
        message = f"the market closes when the window does: the last slice goes out at {_shown(last)}"
        yield Warned(PlanWarning.SESSION_END, message, {"last_at": _shown(last), "end_at": _shown(row["end_at"])})


def _of_lots(row: Mapping[str, Any]) -> Iterator[Warned]:
    lot, lots = row["lot_size"], row["total_quantity"] // row["lot_size"]
    if lot > 1 and lots % row["num_splits"]:
        message = f"{lots} lots of {lot} in {row['num_splits']} slices: some slices have a lot more than others"
        yield Warned(PlanWarning.UNEVEN_LOTS, message, {"lot_size": lot, "lots": lots})


def _of_room(row: Mapping[str, Any], now: datetime) -> Iterator[Warned]:
    standing = risk.standing_of(row["account_id"], row["broker"], row["instrument"], row["limit_price"])
    reckoned = {**row, "reckoned_price": standing.last_price}
    try:
        risk.check_terms(reckoned, standing)
        _check_room(reckoned, risk.room_for(reckoned, standing, now), now)
    except RiskLimit as refused:
        yield Warned(PlanWarning.NO_ROOM, refused.message, refused.details)


def _check_room(row: dict[str, Any], room: Room | None, now: datetime) -> None:
    if room is None:
        return
    asked = row["num_splits"]
    with db.statement() as connection:
        load = new_orders.load_of(connection, row["account_id"], asked, room, now)
    if load.orders >= room.most_orders or load.slices + asked > room.most_slices or load.due + asked > room.most_due:
        raise risk.refusal(room, load, row)


def _shown(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
