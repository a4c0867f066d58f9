"""Orders that lack money or shares go on when their broker shows them; each recheck costs one refused call at most."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from api_contract.vocabulary import HoldReason, OrderStatus, OrderType, Side, SliceStatus
from pulse_core import brokers, db, queue
from pulse_core.broker_accounts import directory
from pulse_core.brokers.port import BookUnavailable
from pulse_core.clock import utcnow
from pulse_core.outlook import sweeps_with_work
from pulse_core.owner import OneAccount
from pulse_core.tasks import Task
from pulse_core.trading.order import recheck_money as rechecking
from pulse_core.trading.order.pause import pause_order
from pulse_core.trading.order.recheck_money import EVERY, TOGETHER, TRIAL, recheck_money
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice import track
from pulse_core.trading.slice.execute import execute_slices
from pulse_core.trading.slice.refused import FIRST_ASKED_AFTER, LAST_ASKED_AFTER
from pulse_core.trading.tables import Placement
from pulse_core.trading.vocabulary import PlacementOutcome
from tests.support.books import forget_books, read_again_at_once
from tests.support.broker import SimulatedBroker
from tests.support.exchange import RunningExchange, start_exchange
from tests.support.factories import a_split_order, order, slices_of

SECOND = timedelta(seconds=1)
PRICE = Decimal("1500.00")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningExchange]:
    with start_exchange(tmp_path) as exchange:
        yield exchange


@pytest.fixture
def exchange(running: RunningExchange, clean_database: str, monkeypatch: pytest.MonkeyPatch) -> RunningExchange:
    """The exchange with an account that has nothing, and this process connected to it by the real adapter."""
    give(running)
    adapter = running.broker()
    monkeypatch.setattr(brokers, "connect", lambda _account: adapter)
    monkeypatch.setattr(brokers, "reachable", lambda: [adapter])
    forget_books(monkeypatch)
    read_again_at_once(monkeypatch)
    for name in ("wake", "send", "send_soon"):
        monkeypatch.setattr(queue, name, lambda *_args, **_named: None)
    assert sending_hold.may_send(adapter)
    directory.forget()
    assert directory.account_named("paper")
    return running


def give(exchange: RunningExchange, cash: int = 0, shares: int = 0) -> None:
    """What the account began with."""
    held = {"INFY": {"quantity": shares, "average_price": "1500"}}
    exchange.control("PUT", "account", {"cash": str(cash), "holdings": held})


class Trading:
    """An order of ten slices of ten shares over a quarter of an hour, and a worker whose clock the test sets."""

    def __init__(self, start: datetime | None = None, **changes: Any) -> None:
        self.start = start or utcnow() + SECOND
        terms: dict[str, Any] = {"instrument": "NSE:INFY", "total_quantity": 100, "num_splits": 10}
        terms["duration_minutes"] = 15
        limit = {"order_type": OrderType.LIMIT, "limit_price": PRICE}
        self.order_id = a_split_order(self.start, **(terms | limit | changes))

    def at(self, seconds: float) -> datetime:
        return self.start + SECOND * seconds

    def work(self, seconds: float) -> None:
        now = self.at(seconds)
        due = [one.id for one in slices_of(self.order_id) if one.status is SliceStatus.SCHEDULED and one.due_at <= now]
        if due:
            execute_slices(due, lambda: now).check()
        with suppress(BookUnavailable):
            track.track_slices(now)

    def due(self) -> list[float]:
        return [
            (one.due_at - self.start).total_seconds()
            for one in slices_of(self.order_id)
            if one.status is SliceStatus.SCHEDULED
        ]

    @property
    def held(self) -> HoldReason | None:
        return order(self.order_id).hold


def refused() -> int:
    with db.transaction() as session:
        rows = select(func.count()).select_from(Placement).where(Placement.outcome == PlacementOutcome.REFUSED)
        return session.scalar(rows) or 0


def asked_at(order_id: str) -> datetime:
    found = order(order_id).ask_at
    assert found is not None
    return found


def test_an_order_waits_for_the_margin_of_its_next_slice_and_no_more(exchange: RunningExchange) -> None:
    trading = Trading()
    trading.work(0)
    assert (trading.held, refused()) == (HoldReason.FUNDS, 1)

    recheck_money(trading.at(30))
    assert trading.held is HoldReason.FUNDS

    give(exchange, cash=15_000)
    recheck_money(trading.at(60))
    assert trading.held is None
    trading.work(60)
    assert refused() == 1
    assert len([one for one in slices_of(trading.order_id) if one.status is SliceStatus.WORKING]) == 1


def test_a_sale_waits_for_the_shares_of_its_next_slice(exchange: RunningExchange) -> None:
    trading = Trading(side=Side.SELL, order_type=OrderType.MARKET, limit_price=None)
    trading.work(0)
    assert (trading.held, refused()) == (HoldReason.HOLDINGS, 1)

    give(exchange, shares=9)
    recheck_money(trading.at(30))
    assert trading.held is HoldReason.HOLDINGS

    give(exchange, shares=10)
    recheck_money(trading.at(60))
    assert trading.held is None
    trading.work(60)
    assert refused() == 1


def test_shares_that_are_at_the_broker_to_be_sold_are_not_free(exchange: RunningExchange) -> None:
    give(exchange, shares=15)
    resting = Trading(side=Side.SELL, limit_price=Decimal("1700.00"))
    resting.work(0)
    other = Trading(side=Side.SELL, order_type=OrderType.MARKET, limit_price=None)
    other.work(0)
    assert (resting.held, other.held) == (None, HoldReason.HOLDINGS)

    recheck_money(other.at(30))

    assert other.held is HoldReason.HOLDINGS


def test_nobody_is_asked_before_its_time_and_an_account_only_every_ten_seconds(
    exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    trading = Trading()
    trading.work(0)
    asked: list[datetime] = []
    monkeypatch.setattr(rechecking, "_margins", lambda _asked, waiting: asked.append(trading.start) or [Decimal(10**9)])

    assert recheck_money(trading.at(FIRST_ASKED_AFTER.total_seconds() - 1)) == 0
    assert recheck_money(trading.at(20)) == 1
    assert recheck_money(trading.at(20 + EVERY.total_seconds() - 1)) == 0
    assert recheck_money(trading.at(20 + EVERY.total_seconds())) == 1
    assert len(asked) == 2


def test_each_recheck_costs_one_refused_call_and_they_lie_further_and_further_apart(
    exchange: RunningExchange,
) -> None:
    trading = Trading()
    trading.work(0)
    # The broker shows the money, and refuses all the same.
    give(exchange, cash=10**7)
    exchange.set_faults({"fault": "refuse", "error_type": "MarginException", "message": "not enough"})

    seconds, refusals, distances = 0.0, 1, []
    while trading.held is not None and len(distances) < 5:
        distances.append((asked_at(trading.order_id) - order(trading.order_id).held_since).total_seconds())  # type: ignore[operator]
        seconds = (asked_at(trading.order_id) - trading.start).total_seconds()
        recheck_money(trading.at(seconds))
        assert trading.held is None
        assert trading.due()[0] == pytest.approx(seconds, abs=0.01)
        assert all(due >= seconds + TRIAL.total_seconds() for due in trading.due()[1:])
        trading.work(seconds)
        refusals += 1
        assert (trading.held, refused()) == (HoldReason.FUNDS, refusals)
    assert distances == [15, 30, 60, 120, 240]
    exchange.set_faults()
    assert timedelta(minutes=10) == LAST_ASKED_AFTER


def test_nothing_else_goes_out_before_the_first_slice_is_answered(exchange: RunningExchange) -> None:
    trading = Trading(num_splits=100, total_quantity=1000, duration_minutes=1)
    trading.work(0)
    give(exchange, cash=10**7)

    recheck_money(trading.at(30))

    first, second, *_ = sorted(trading.due())
    assert (first, second) == pytest.approx((30, 30 + TRIAL.total_seconds()), abs=0.01)


def test_what_one_order_is_let_go_with_is_not_there_for_the_next(exchange: RunningExchange) -> None:
    start = utcnow() + SECOND
    orders = [Trading(start) for _ in range(3)]
    for one in orders:
        one.work(0)
    give(exchange, cash=31_000)

    recheck_money(orders[0].at(30))

    assert sorted(str(one.held) for one in orders) == ["FUNDS", "None", "None"]


def test_whoever_was_looked_at_longest_ago_comes_first(
    exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = utcnow() + SECOND
    orders = [Trading(start) for _ in range(3)]
    for one in orders:
        one.work(0)
    monkeypatch.setattr(rechecking, "TOGETHER", 1)
    seen: list[str] = []
    monkeypatch.setattr(
        rechecking, "_margins", lambda _asked, waiting: [seen.append(one.order_id) or Decimal(10**9) for one in waiting]
    )

    for turn in range(6):
        recheck_money(orders[0].at(30 + 10 * turn))

    assert len(set(seen[:3])) == 3
    assert seen[3:] == seen[:3]
    assert TOGETHER > 1


def test_one_that_the_broker_does_not_reckon_stands_in_no_others_way(exchange: RunningExchange) -> None:
    start = utcnow() + SECOND
    odd, other = Trading(start), Trading(start)
    for one in (odd, other):
        one.work(0)
    with db.transaction() as session:
        session.execute(text("UPDATE orders SET instrument = 'NSE:NOSUCH' WHERE id = :id"), {"id": odd.order_id})
    give(exchange, cash=15_000)

    recheck_money(odd.at(30))

    assert (odd.held, other.held) == (HoldReason.FUNDS, None)
    assert asked_at(odd.order_id) == odd.at(30) + rechecking.UNTOLD


def test_a_broker_that_does_not_tell_lets_nobody_go(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wake", "send", "send_soon"):
        monkeypatch.setattr(queue, name, lambda *_args, **_named: None)
    trading = Trading()
    with db.transaction() as session:
        session.execute(text("UPDATE orders SET hold = 'FUNDS', held_since = now()"))
    directory.forget()
    assert directory.account_named("paper")

    assert recheck_money(trading.at(30)) == 1

    assert trading.held is HoldReason.FUNDS
    assert asked_at(trading.order_id) == trading.at(30) + rechecking.UNTOLD


def test_an_order_that_is_paused_is_not_asked_about(exchange: RunningExchange) -> None:
    trading = Trading()
    trading.work(0)
    pause_order(OneAccount(order(trading.order_id).account_id), trading.order_id, "owner", trading.at(1))
    give(exchange, cash=10**6)

    assert recheck_money(trading.at(30)) == 0
    assert (order(trading.order_id).status, trading.held) == (OrderStatus.PAUSED, HoldReason.FUNDS)


def test_the_sweep_runs_where_something_is_held(exchange: RunningExchange) -> None:
    assert Task.RECHECK_MONEY not in sweeps_with_work()
    trading = Trading()
    trading.work(0)
    assert Task.RECHECK_MONEY in sweeps_with_work()
