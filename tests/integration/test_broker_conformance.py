"""What every adapter does, whatever its broker is called: the same cases on each wire of the paper exchange.

A new adapter needs a line in WIRES and a fixture for what it talks to; `docs/brokers.md` says what else.
"""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from ulid import ULID

from api_contract.vocabulary import Side
from pulse_core.boottime import boottime
from pulse_core.brokers.alpaca import broker as alpaca
from pulse_core.brokers.instruments import ListsInstruments, ListUnavailable
from pulse_core.brokers.market_days import TellsMarketDays
from pulse_core.brokers.money import Charges, NotTold, TellsMoney
from pulse_core.brokers.port import (
    RATE_LIMITED,
    AlreadyThere,
    BookUnavailable,
    Broker,
    BrokerError,
    BrokerOrder,
    BrokerOrderStatus,
    NotSent,
    OutcomeUnknown,
    Placement,
    QuotesUnavailable,
    Refused,
    Scope,
    covers,
)
from pulse_ops.verify import alpaca_records, broker_records
from pulse_ops.verify.facts import BrokerBooks
from tests.support.exchange import ACCESS_TOKEN, API_KEY, API_SECRET, RunningExchange, start_exchange
from tests.support.processes import wait_until

PATIENCE = 20.0


@dataclass(frozen=True)
class Wire:
    """An exchange behind one protocol, the adapter for it, and what is traded there."""

    name: str
    exchange: RunningExchange
    connect: Callable[..., Broker]
    instrument: str
    unknown_instrument: str
    bad_key: dict[str, Any]
    judge: Callable[[str], BrokerBooks]
    far_limit: Decimal
    high_limit: Decimal

    def placement(self, quantity: int = 10, side: Side = Side.BUY, **changes: Any) -> Placement:
        return Placement(
            str(ULID())[-20:], **{"instrument": self.instrument, "side": side, "quantity": quantity} | changes
        )

    def arrivals(self, placement: Placement) -> list[str]:
        with self.exchange.ledger() as ledger:
            return [one.outcome for one in ledger.arrivals(placement.client_order_id)]


def _judge_of_kite(url: str) -> BrokerBooks:
    return broker_records.from_kite(url, API_KEY, ACCESS_TOKEN)


def _judge_of_alpaca(url: str) -> BrokerBooks:
    return alpaca_records.from_alpaca(url, API_KEY, API_SECRET)


WIRES = {
    "kite": (
        "broker",
        "NSE:INFY",
        "NSE:inf",
        {"access_token": "another-token"},
        _judge_of_kite,
        Decimal("1450.00"),
        Decimal("1650.00"),
    ),
    "alpaca": (
        "alpaca",
        "NYSE:BRK.B",
        "NYSE:NOSUCH",
        {"api_secret": "another-secret"},
        _judge_of_alpaca,
        Decimal("1.00"),
        Decimal("99999.00"),
    ),
}


@pytest.fixture(scope="module", params=WIRES)
def wire(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    adapter, *terms = WIRES[request.param]
    with start_exchange(tmp_path_factory.mktemp(request.param), wire=request.param) as exchange:
        yield Wire(request.param, exchange, getattr(exchange, adapter), *terms)


@pytest.fixture
def broker(wire: Wire) -> Broker:
    wire.exchange.set_faults()
    return wire.connect()


def soon() -> float:
    return boottime() + 10


def placed(broker: Broker, placement: Placement) -> BrokerOrder:
    return broker.order(broker.place(placement, soon()))


def in_book(broker: Broker, placement: Placement) -> list[BrokerOrder]:
    return [row for row in broker.order_book() if row.client_order_id == placement.client_order_id]


def failure_of(broker: Broker, placement: Placement) -> BrokerError:
    with pytest.raises(BrokerError) as raised:
        broker.place(placement, soon())
    return raised.value


def test_an_order_is_placed_filled_and_shown_the_same_everywhere(wire: Wire, broker: Broker) -> None:
    placement, before = wire.placement(12), datetime.now(UTC) - timedelta(seconds=1)

    order = placed(broker, placement)

    assert (order.client_order_id, order.quantity, order.filled_quantity) == (placement.client_order_id, 12, 12)
    assert order.status is BrokerOrderStatus.COMPLETE
    assert in_book(broker, placement) == [order]
    trades = broker.order_trades(order.broker_order_id)
    assert [one for one in broker.trade_book() if one.broker_order_id == order.broker_order_id] == list(trades)
    assert sum(one.quantity for one in trades) == 12
    assert all(before <= one.traded_at <= datetime.now(UTC) + timedelta(seconds=1) for one in trades)
    assert order.average_price == trades[0].price > 0
    assert covers(broker, before, datetime.now(UTC))


def test_a_limit_order_rests_until_it_is_cancelled(wire: Wire, broker: Broker) -> None:
    resting = placed(broker, wire.placement(limit_price=wire.far_limit))
    assert (resting.status, resting.filled_quantity, resting.average_price) == (BrokerOrderStatus.OPEN, 0, None)

    broker.cancel(resting.broker_order_id)

    assert broker.order(resting.broker_order_id).status is BrokerOrderStatus.CANCELLED
    with pytest.raises(Refused):
        broker.cancel(resting.broker_order_id)


def test_what_is_filled_or_unknown_cannot_be_cancelled(wire: Wire, broker: Broker) -> None:
    filled = placed(broker, wire.placement())

    for broker_order_id in (filled.broker_order_id, "999999999999999"):
        with pytest.raises(Refused):
            broker.cancel(broker_order_id)


def test_the_same_order_again_is_told_to_be_there_or_is_another_order_and_never_a_refusal(
    wire: Wire, broker: Broker
) -> None:
    placement = wire.placement()
    first = broker.place(placement, soon())

    if broker.finder is None:
        assert broker.place(placement, soon()) != first
        assert len(in_book(broker, placement)) == 2
        return
    assert isinstance(failure_of(broker, placement), AlreadyThere)
    assert [row.broker_order_id for row in in_book(broker, placement)] == [first]


@pytest.mark.parametrize(
    "fault", [{"fault": "ack_lost"}, {"fault": "error_after"}, {"fault": "unreadable"}], ids=lambda one: one["fault"]
)
def test_a_lost_answer_is_unknown_and_the_order_is_found(wire: Wire, broker: Broker, fault: dict[str, Any]) -> None:
    placement = wire.placement()
    wire.exchange.set_faults({**fault, "tag": placement.client_order_id})

    assert isinstance(failure_of(broker, placement), OutcomeUnknown)

    (row,) = in_book(broker, placement)
    assert broker.finder is None or broker.finder.find(placement.client_order_id) == row


@pytest.mark.parametrize("fault", [{"fault": "lost_before"}, {"fault": "error_before"}], ids=lambda one: one["fault"])
def test_a_lost_request_is_unknown_too_and_no_order_is_found(wire: Wire, broker: Broker, fault: dict[str, Any]) -> None:
    placement = wire.placement()
    wire.exchange.set_faults({**fault, "tag": placement.client_order_id})

    assert isinstance(failure_of(broker, placement), OutcomeUnknown)

    assert in_book(broker, placement) == []
    assert broker.finder is None or broker.finder.find(placement.client_order_id) is None


def test_an_answer_that_takes_too_long_is_unknown(wire: Wire, broker: Broker) -> None:
    placement = wire.placement()
    wire.exchange.set_faults({"fault": "slow", "seconds": 1.0, "tag": placement.client_order_id})

    assert isinstance(failure_of(wire.connect(timeout=0.3), placement), OutcomeUnknown)
    assert len(in_book(broker, placement)) == 1


def test_nothing_leaves_after_its_time(wire: Wire, broker: Broker) -> None:
    placement = wire.placement()

    with pytest.raises(NotSent) as raised:
        broker.place(placement, boottime() - 0.001)

    assert raised.value.code == "LATE"
    assert wire.arrivals(placement) == []


def test_without_a_connection_nothing_was_sent(wire: Wire) -> None:
    nowhere = wire.connect(root="http://127.0.0.1:1")

    assert isinstance(failure_of(nowhere, wire.placement()), NotSent)
    for read in (nowhere.order_book, nowhere.trade_book):
        with pytest.raises(BookUnavailable):
            read()


def test_a_fill_after_the_cancellation_is_shown_and_the_order_stays_cancelled(wire: Wire, broker: Broker) -> None:
    placement = wire.placement(10)
    wire.exchange.set_faults({"fault": "late_fill", "seconds": 0.2, "fraction": 0.5, "tag": placement.client_order_id})
    order = placed(broker, placement)
    broker.cancel(order.broker_order_id)

    wait_until(lambda: broker.order(order.broker_order_id).filled_quantity == 5, PATIENCE, "the late fill")

    assert broker.order(order.broker_order_id).status is BrokerOrderStatus.CANCELLED
    assert sum(one.quantity for one in broker.order_trades(order.broker_order_id)) == 5


def test_a_rejection_after_the_acknowledgement_stands_in_the_book(wire: Wire, broker: Broker) -> None:
    placement = wire.placement()
    wire.exchange.set_faults({"fault": "reject", "tag": placement.client_order_id})

    assert placed(broker, placement).status is BrokerOrderStatus.REJECTED


@pytest.mark.parametrize(
    ("error_type", "message", "scope"),
    [
        ("MarginException", "not enough funds", Scope.FUNDS),
        ("HoldingException", "no such shares", Scope.HOLDINGS),
        ("OrderException", "Markets are closed: market is closed", Scope.MARKET),
        ("OrderException", "beyond the circuit limits: outside of the price band", Scope.PRICE),
        ("InputException", "qty is odd", Scope.ORDER),
    ],
)
def test_a_refusal_says_whose_fault_it_is(
    wire: Wire, broker: Broker, error_type: str, message: str, scope: Scope
) -> None:
    placement = wire.placement()
    wire.exchange.set_faults(
        {"fault": "refuse", "error_type": error_type, "message": message, "tag": placement.client_order_id}
    )

    refusal = failure_of(broker, placement)

    assert isinstance(refusal, Refused)
    assert refusal.scope is scope
    assert in_book(broker, placement) == []


def test_a_key_that_is_not_taken_concerns_the_account(wire: Wire, broker: Broker) -> None:
    placement, stranger = wire.placement(), wire.connect(**wire.bad_key)

    refusal = failure_of(stranger, placement)

    assert isinstance(refusal, Refused)
    assert refusal.scope is Scope.ACCOUNT
    assert next(iter(wire.bad_key.values())) not in str(refusal)
    with pytest.raises(BookUnavailable):
        stranger.order_book()
    assert in_book(broker, placement) == []


def test_an_instrument_that_is_not_traded_is_refused(wire: Wire, broker: Broker) -> None:
    assert isinstance(failure_of(broker, wire.placement(instrument=wire.unknown_instrument)), Refused)


def test_too_many_calls_mean_not_sent_and_cost_the_budget_only(wire: Wire, broker: Broker) -> None:
    placement = wire.placement()
    wire.exchange.set_faults({"fault": "rate_limited", "tag": placement.client_order_id})

    failed = failure_of(broker, placement)

    assert (type(failed), failed.code) == (NotSent, RATE_LIMITED)
    assert failed.scope is Scope.BUDGET


def test_a_book_that_cannot_be_read_is_no_empty_book(wire: Wire, broker: Broker) -> None:
    order = placed(broker, placement := wire.placement())
    wire.exchange.set_faults({"fault": "book_down"})
    reads: list[Callable[[], object]] = [
        broker.order_book,
        broker.trade_book,
        lambda: broker.order(order.broker_order_id),
        lambda: broker.order_trades(order.broker_order_id),
    ]
    if (finder := broker.finder) is not None:
        reads.append(lambda: finder.find(placement.client_order_id))

    for read in reads:
        with pytest.raises(BookUnavailable):
            read()


def test_an_order_that_the_broker_does_not_show_is_not_told_to_be_absent(broker: Broker) -> None:
    with pytest.raises(BookUnavailable):
        broker.order("999999999999999")


def test_a_book_of_many_pages_is_read_whole_and_each_row_once(
    wire: Wire, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alpaca, "ORDERS_OF_A_PAGE", 4)
    monkeypatch.setattr(alpaca, "FILLS_OF_A_PAGE", 3)
    since = datetime.now(UTC) - timedelta(seconds=1)
    ids = [broker.place(wire.placement(2), soon()) for _ in range(11)]

    book, trades = broker.order_book(since), broker.trade_book(since)

    assert [row.broker_order_id for row in book if row.broker_order_id in ids] == ids
    assert [one.broker_order_id for one in trades if one.broker_order_id in ids] == ids
    assert len({row.broker_order_id for row in book}) == len(book)
    assert len({one.broker_trade_id for one in trades}) == len(trades)


def test_many_threads_may_place_and_read_at_once(wire: Wire, broker: Broker) -> None:
    placements = [wire.placement(3) for _ in range(24)]

    def place(placement: Placement) -> tuple[str, str]:
        broker_order_id = broker.place(placement, soon())
        return broker_order_id, broker.order(broker_order_id).client_order_id or ""

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(place, placements))

    assert [tag for _, tag in found] == [one.client_order_id for one in placements]
    assert len({broker_order_id for broker_order_id, _ in found}) == len(placements)


def test_one_id_from_many_threads_is_one_order_where_ids_are_unique(wire: Wire, broker: Broker) -> None:
    if broker.finder is None:
        pytest.skip("this broker takes an id as often as it comes")
    placement, placed_ids = wire.placement(3), []

    def place(_number: int) -> None:
        with suppress(AlreadyThere):
            placed_ids.append(broker.place(placement, soon()))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(place, range(8)))

    assert len(placed_ids) == len(in_book(broker, placement)) == 1


def test_the_judge_reads_the_same_books_by_itself(wire: Wire, broker: Broker) -> None:
    for quantity in (1, 2, 3):
        broker.place(wire.placement(quantity), soon())

    books = wire.judge(wire.exchange.url)

    ours = {
        row.broker_order_id: (row.client_order_id, row.quantity, row.filled_quantity) for row in broker.order_book()
    }
    assert {one.order_id: (one.tag, one.quantity, one.filled_quantity) for one in books.orders} == ours
    assert {(one.trade_id, one.price) for one in books.trades} == {
        (one.broker_trade_id, one.price) for one in broker.trade_book()
    }


def test_an_order_of_the_day_ends_with_it_and_keeps_what_it_filled(wire: Wire, broker: Broker) -> None:
    placement = wire.placement(10)
    wire.exchange.set_faults({"fault": "partial_fill", "fraction": 0.5, "tag": placement.client_order_id})
    order = placed(broker, placement)
    assert (order.status, order.filled_quantity) == (BrokerOrderStatus.OPEN, 5)

    wire.exchange.end_day()

    if broker.finder is None:
        # Its books show one day only: nothing can be read out of the next one.
        assert in_book(broker, placement) == []
        return
    ended = broker.finder.find(placement.client_order_id)
    assert ended is not None
    assert (ended.status, ended.filled_quantity) == (BrokerOrderStatus.EXPIRED, 5)
    assert in_book(broker, placement) == [ended]


def test_prices_are_told_for_what_the_broker_knows(wire: Wire, broker: Broker) -> None:
    if broker.quoter is None:
        pytest.skip("this broker tells no prices")
    before = datetime.now(UTC) - timedelta(seconds=2)

    told = broker.quoter.quote([wire.instrument, wire.unknown_instrument])

    assert set(told) == {wire.instrument}
    quote = told[wire.instrument]
    assert quote.bid is not None
    assert quote.ask is not None
    assert quote.bid < quote.ask
    assert quote.bid <= quote.last_price <= quote.ask
    assert quote.at is None or before <= quote.at <= datetime.now(UTC) + timedelta(seconds=1)
    for levels, best_first in ((quote.bids, -1), (quote.asks, 1)):
        assert 1 <= len(levels) <= 5
        assert all(level.quantity > 0 for level in levels)
        assert sorted(levels, key=lambda level: best_first * level.price) == list(levels)


def test_what_was_traded_today_counts_as_volume_where_it_is_told(wire: Wire, broker: Broker) -> None:
    if broker.quoter is None:
        pytest.skip("this broker tells no prices")
    before = broker.quoter.quote([wire.instrument])[wire.instrument].volume

    placed(broker, wire.placement(7))

    after = broker.quoter.quote([wire.instrument])[wire.instrument].volume
    assert before is None or after == before + 7


def test_prices_that_cannot_be_read_are_not_known(wire: Wire, broker: Broker) -> None:
    if broker.quoter is None:
        pytest.skip("this broker tells no prices")
    for unreachable in (wire.connect(root="http://127.0.0.1:1"), wire.connect(**wire.bad_key)):
        assert unreachable.quoter is not None
        with pytest.raises(QuotesUnavailable) as raised:
            unreachable.quoter.quote([wire.instrument])
        assert next(iter(wire.bad_key.values())) not in str(raised.value)


def test_what_is_listed_has_what_is_traded_and_only_of_the_exchanges_asked_for(wire: Wire, broker: Broker) -> None:
    if not isinstance(broker, ListsInstruments):
        pytest.skip("this broker lists nothing")
    exchange, _, symbol = wire.instrument.partition(":")

    found = broker.instruments({exchange, "NOWHERE"})

    assert {one.exchange for one in found.instruments} == {exchange}
    assert symbol in {one.symbol for one in found.instruments}
    assert all(one.lot_size >= 1 and one.tick_size > 0 and one.products for one in found.instruments)
    for unreachable in (wire.connect(root="http://127.0.0.1:1"), wire.connect(**wire.bad_key)):
        assert isinstance(unreachable, ListsInstruments)
        with pytest.raises(ListUnavailable) as raised:
            unreachable.instruments({exchange})
        assert next(iter(wire.bad_key.values())) not in str(raised.value)


def test_the_days_of_its_market_are_in_order_and_its_clock_goes(wire: Wire, broker: Broker) -> None:
    if not isinstance(broker, TellsMarketDays):
        pytest.skip("this broker tells no days")
    since = datetime.now(UTC).date()

    days = broker.market_days(since, since + timedelta(days=30))

    assert 10 <= len(days) <= 31
    assert [one.day for one in days] == sorted({one.day for one in days})
    assert all(one.opens < one.closes for one in days)
    assert broker.market_time() <= broker.market_time()
    assert abs(broker.market_time() - datetime.now(UTC)) < timedelta(minutes=1)
    with pytest.raises(BookUnavailable):
        wire.connect(**wire.bad_key).market_days(since, since)


@pytest.fixture
def teller(wire: Wire, broker: Broker) -> Iterator[TellsMoney]:
    """The account with 100,000 free and 40 shares of what is traded, beside what other tests have traded."""
    symbol = wire.instrument.partition(":")[2]
    wire.exchange.control("PUT", "account", {"cash": "0", "holdings": None})
    assert isinstance(broker, TellsMoney)
    cash = 100_000 - broker.funds(PATIENCE)
    held = {symbol: {"quantity": 1_040, "average_price": "10"}}
    wire.exchange.control("PUT", "account", {"cash": str(cash), "holdings": held})
    yield broker
    wire.exchange.control("PUT", "account", {"cash": None, "holdings": None})


def test_money_and_shares_are_told_or_said_not_to_be(wire: Wire, teller: TellsMoney) -> None:
    priced = [wire.placement(10, limit_price=wire.far_limit), wire.placement(20, limit_price=wire.far_limit)]

    assert teller.funds(PATIENCE) == Decimal(100_000)
    first, second = teller.costs(priced, PATIENCE)
    if isinstance(first.margin, NotTold):
        assert first.margin.code == "NOT_SERVED"
        assert isinstance(first.charges, NotTold)
        return
    assert (first.margin, second.margin) == (10 * wire.far_limit, 20 * wire.far_limit)
    assert isinstance(first.charges, Charges)
    assert abs(first.charges.total - sum(first.charges.parts.values())) < Decimal("0.001")
    assert first.charges.parts.keys() >= {"brokerage", "gst", "stamp_duty"}


def test_an_open_order_takes_of_the_funds_and_not_of_the_holdings(
    wire: Wire, broker: Broker, teller: TellsMoney
) -> None:
    held = teller.holdings([wire.instrument], PATIENCE)
    buying = placed(broker, wire.placement(10, limit_price=wire.far_limit))
    selling = placed(broker, wire.placement(5, Side.SELL, limit_price=wire.high_limit))

    # On the other wire the exchange blocks nothing for open orders.
    blocked = 10 * wire.far_limit if wire.name == "kite" else 0
    assert teller.funds(PATIENCE) == Decimal(100_000) - blocked
    assert teller.holdings([wire.instrument], PATIENCE) == held

    for one in (buying, selling):
        broker.cancel(one.broker_order_id)
    assert teller.funds(PATIENCE) == Decimal(100_000)


def test_shares_that_were_bought_and_sold_today_count(wire: Wire, broker: Broker, teller: TellsMoney) -> None:
    before = teller.holdings([wire.instrument], PATIENCE)[wire.instrument]

    placed(broker, wire.placement(7))
    placed(broker, wire.placement(3, Side.SELL))

    assert teller.holdings([wire.instrument], PATIENCE)[wire.instrument] == before + 4


def test_a_broker_that_hangs_is_waited_for_no_longer_than_was_said(wire: Wire) -> None:
    with silent_server() as url:
        teller = wire.connect(root=url)
        assert isinstance(teller, TellsMoney)
        began = boottime()
        for read in (lambda: teller.funds(0.3), lambda: teller.holdings([wire.instrument], 0.3)):
            with pytest.raises(NotTold):
                read()
    assert boottime() - began < PATIENCE


def test_without_a_connection_or_with_a_bad_key_nothing_is_told(wire: Wire) -> None:
    nowhere, nobody = wire.connect(root="http://127.0.0.1:1"), wire.connect(**wire.bad_key)
    assert isinstance(nowhere, TellsMoney)
    assert isinstance(nobody, TellsMoney)
    with pytest.raises(NotTold):
        nowhere.funds(PATIENCE)
    with pytest.raises(NotTold) as refused:
        nobody.funds(PATIENCE)
    assert refused.value.scope is Scope.ACCOUNT


def test_whoever_is_asked_with_no_time_left_tells_nothing(wire: Wire, broker: Broker) -> None:
    assert isinstance(broker, TellsMoney)
    with pytest.raises(NotTold):
        broker.holdings([wire.instrument], 0.0)


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
