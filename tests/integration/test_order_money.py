"""What an order costs, and what an account has: asked of a real exchange, and never waited for long."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from api_contract.errors import InsufficientHoldings
from api_contract.vocabulary import OrderType, PlanWarning, Product, Side
from pulse_core import brokers, queue
from pulse_core.boottime import boottime
from pulse_core.broker_accounts import access, directory
from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.clock import utcnow
from pulse_core.trading.order import costs, holdings
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.preview import OrderPreview, preview_order
from tests.support.exchange import RunningExchange, start_exchange
from tests.support.factories import a_new_order, an_account, an_order

PATIENCE = 30.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with start_exchange(tmp_path_factory.mktemp("exchange")) as exchange:
        yield exchange


@pytest.fixture
def exchange(
    running: RunningExchange, clean_database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningExchange]:
    """The exchange with 50,000 rupees and 60 shares of RELIANCE, and this process connected to it by the adapter."""
    running.set_faults()
    held = {"RELIANCE": {"quantity": 60, "average_price": "1400"}}
    running.control("PUT", "account", {"cash": "50000", "holdings": held})
    adapter = running.broker()
    monkeypatch.setattr(brokers, "connect", lambda _account: adapter)
    for name in ("wake", "send", "send_soon"):
        monkeypatch.setattr(queue, name, lambda *_args, **_named: None)
    yield running
    running.control("PUT", "account", {"cash": None, "holdings": None})


def previewed(**changes: object) -> OrderPreview:
    return preview_order(an_account(), a_new_order(**changes), utcnow())


def test_a_limit_order_is_told_what_it_needs_and_costs(exchange: RunningExchange) -> None:
    preview = previewed(order_type=OrderType.LIMIT, limit_price=Decimal("2800.00"))
    money = preview.money

    assert (preview.price, preview.worth) == (Decimal("2800.00"), Decimal(280_000))
    assert (money.margin, money.funds, money.holdings, money.promised) == (
        Decimal(280_000),
        Decimal(50_000),
        None,
        None,
    )
    assert money.charges is not None
    assert money.charges.total > 0
    # Of each slice by itself, as each is an order there.
    assert abs(money.charges.total - sum(money.charges.parts.values())) < Decimal("0.001")
    assert money.not_told == []
    assert [one.code for one in preview.warnings] == [PlanWarning.FUNDS_SHORT]


def test_a_market_order_is_worth_what_the_last_price_says(exchange: RunningExchange) -> None:
    preview = previewed(total_quantity=10)

    assert preview.price is not None
    assert preview.worth == 10 * preview.price
    assert preview.money.not_told == []


def test_a_sale_is_told_what_can_be_sold_and_what_other_orders_will_sell(exchange: RunningExchange) -> None:
    an_order(side=Side.SELL, total_quantity=25)
    an_order(side=Side.SELL, total_quantity=9, product=Product.MIS)
    an_order(side=Side.BUY, total_quantity=9)

    preview = previewed(side=Side.SELL, total_quantity=40)

    assert (preview.money.holdings, preview.money.promised) == (60, 25)
    assert [one.code for one in preview.warnings] == [PlanWarning.HOLDINGS_SHORT]


def test_a_broker_that_hangs_holds_a_preview_up_for_a_while_only(
    exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "LONGEST_WAIT_FOR_A_PRICE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        silent = exchange.broker(root=f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.setattr(brokers, "connect", lambda _account: silent)
        began = boottime()
        preview = previewed(side=Side.SELL)

    assert boottime() - began < PATIENCE
    assert len(preview.slices) == 5
    assert [one.what for one in preview.money.not_told] == ["price", "margin", "charges", "funds", "holdings"]
    assert preview.money.not_told[-1].reason == "the broker took too long over what was asked before"


def test_a_dead_token_that_a_preview_meets_holds_the_account(
    exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.forget()
    assert directory.account_named("paper")
    nobody = exchange.broker(access_token="another-token")
    monkeypatch.setattr(brokers, "connect", lambda _account: nobody)

    money = previewed(order_type=OrderType.LIMIT, limit_price=Decimal("2800.00")).money

    assert [one.what for one in money.not_told] == ["margin", "charges", "funds"]
    directory.forget()
    account = directory.account_named("paper")
    assert account is not None
    assert account.state is BrokerAccountState.AWAITING_TOKEN


@pytest.fixture
def live(exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch) -> RunningExchange:
    """The same account, as if real money were traded there, and everybody had a grant."""
    directory.forget()
    account = replace(directory.accounts_known()["paper"], is_live=True)
    monkeypatch.setattr(directory, "accounts_known", lambda: {"paper": account})
    monkeypatch.setattr(access, "_is_granted", lambda _account_id, _name: True)
    monkeypatch.setattr(holdings, "_rests_until", {})
    return exchange


def test_more_shares_than_are_free_cannot_be_sold_for_real(live: RunningExchange) -> None:
    an_order(side=Side.SELL, total_quantity=25)

    with pytest.raises(InsufficientHoldings) as refused:
        an_order(side=Side.SELL, total_quantity=36)

    assert refused.value.details == {
        "field": "total_quantity",
        "instrument": "NSE:RELIANCE",
        "total_quantity": 36,
        "holdings": 60,
        "promised": 25,
        "free": 35,
    }
    assert an_order(side=Side.SELL, total_quantity=35)


def test_a_repeated_sale_finds_its_order_and_is_compared_with_nothing(live: RunningExchange) -> None:
    account, new_order = an_account(), a_new_order(side=Side.SELL, total_quantity=60)
    first = submit_order(account, new_order, utcnow())

    assert submit_order(account, new_order, utcnow()).order_id == first.order_id


def test_only_sales_of_shares_of_today_at_live_accounts_wait_for_a_broker(
    live: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(holdings, "check_holdings", asked.append)

    an_order(side=Side.BUY, total_quantity=1000)
    an_order(side=Side.SELL, total_quantity=1000, product=Product.MIS)
    an_order(side=Side.SELL, total_quantity=1000, start_at=utcnow() + timedelta(days=2))
    assert asked == []
    an_order(side=Side.SELL, total_quantity=1000)
    assert len(asked) == 1


def test_a_sale_on_paper_is_accepted_unasked(exchange: RunningExchange) -> None:
    assert an_order(side=Side.SELL, total_quantity=1000)


def test_a_broker_that_does_not_tell_is_waited_for_once_and_the_sale_is_accepted(
    live: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    check = holdings.check_holdings
    monkeypatch.setattr(holdings, "check_holdings", lambda row: (asked.append(row), check(row)))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        silent = live.broker(root=f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.setattr(brokers, "connect", lambda _account: silent)
        assert an_order(side=Side.SELL, total_quantity=1000)
        assert an_order(side=Side.SELL, total_quantity=1000)

    assert len(asked) == 1
