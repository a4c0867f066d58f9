"""The adapter trades at the exchange's process, and both tell the same story."""

import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from kiteconnect import KiteConnect

from api_contract.vocabulary import Side
from pulse_core.boottime import boottime
from pulse_core.brokers import connect
from pulse_core.brokers.port import BookUnavailable, Broker, BrokerOrderStatus, NotSent, Placement, Refused
from tests.support.exchange import ACCESS_TOKEN, API_KEY, RunningExchange, start_exchange
from tests.support.servers import connected_to


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with start_exchange(tmp_path_factory.mktemp("trading")) as running:
        yield running


def placement(quantity: int = 10, tag: str | None = None, instrument: str = "NSE:RELIANCE") -> Placement:
    return Placement(tag or secrets.token_hex(10).upper(), instrument, Side.BUY, quantity)


def official_client(exchange: RunningExchange) -> KiteConnect:
    return KiteConnect(api_key=API_KEY, access_token=ACCESS_TOKEN, root=exchange.url)


def soon() -> float:
    return boottime() + 10


def test_a_placed_order_is_filled_and_books_and_ledger_agree_to_the_paisa(exchange: RunningExchange) -> None:
    broker, order = exchange.broker(), placement(quantity=12)
    order_id = broker.place(order, soon())
    (in_book,) = [row for row in broker.order_book() if row.client_order_id == order.client_order_id]
    (trade,) = [row for row in broker.trade_book() if row.broker_order_id == order_id]
    with exchange.ledger() as ledger:
        (booked,), (booked_trade,) = ledger.orders(order.client_order_id), ledger.trades(order.client_order_id)
        (arrival,) = ledger.arrivals(order.client_order_id)
    assert (in_book.broker_order_id, in_book.status, in_book.filled_quantity) == (
        order_id,
        BrokerOrderStatus.COMPLETE,
        12,
    )
    assert in_book.average_price == trade.price == booked_trade.price == booked.average_price
    assert (trade.broker_trade_id, trade.quantity) == (booked_trade.trade_id, 12)
    assert trade.traded_at == booked_trade.traded_at.replace(microsecond=0)
    assert (booked.order_id, booked.instrument, booked.side) == (order_id, "NSE:RELIANCE", "BUY")
    assert (arrival.outcome, arrival.order_id) == ("ACCEPTED", order_id)
    assert arrival.arrived_at <= booked.placed_at


def test_symbols_with_ampersand_and_dash_arrive_whole(exchange: RunningExchange) -> None:
    for instrument in ("NSE:M&M", "NSE:BAJAJ-AUTO"):
        order = placement(instrument=instrument)
        exchange.broker().place(order, soon())
        with exchange.ledger() as ledger:
            assert ledger.orders(order.client_order_id)[0].instrument == instrument


def test_thirty_two_threads_place_through_one_broker_and_each_gets_its_own_order_id(exchange: RunningExchange) -> None:
    broker = exchange.broker()
    orders = [placement() for _ in range(32)]
    returned: dict[str, str] = {}

    def place(order: Placement) -> None:
        returned[order.client_order_id] = broker.place(order, soon())

    threads = [threading.Thread(target=place, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with exchange.ledger() as ledger:
        booked = {row.tag: row.order_id for row in ledger.orders() if row.tag in returned}
    assert len(returned) == 32
    assert booked == returned


def test_a_tag_that_is_too_long_and_a_wrong_token_are_refused(exchange: RunningExchange) -> None:
    with pytest.raises(Refused) as too_long:
        exchange.broker().place(placement(tag="A" * 21), soon())
    assert too_long.value.code == "InputException"
    stranger = exchange.broker(access_token="stolen")
    with pytest.raises(Refused) as bad_token:
        stranger.place(placement(), soon())
    assert bad_token.value.code == "TOKEN_ENDED"
    with pytest.raises(BookUnavailable):
        stranger.order_book()


def test_cancelling_what_is_unknown_or_over_is_refused(exchange: RunningExchange) -> None:
    broker = exchange.broker()
    with pytest.raises(Refused):
        broker.cancel("999999999999999")
    filled = broker.place(placement(), soon())
    with pytest.raises(Refused):
        broker.cancel(filled)


def test_the_settings_connect_to_the_paper_exchange_under_its_name_and_once(
    exchange: RunningExchange, clean_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_PAPER_EXCHANGE_URL", exchange.url)
    monkeypatch.setenv("KITE_API_KEY", API_KEY)
    monkeypatch.setenv("KITE_ACCESS_TOKEN", ACCESS_TOKEN)
    with connected_to(clean_database):
        broker = connect("paper")
        broker.wait_for_turn(2)
        assert broker.name == "paper"
        assert connect("paper") is broker
        assert broker.place(placement(), soon()).isdigit()


def test_history_quotes_margins_and_instruments_are_served_as_kite_serves_them(exchange: RunningExchange) -> None:
    client = official_client(exchange)
    order_id = exchange.broker().place(placement(), soon())
    assert [row["status"] for row in client.order_history(order_id)][-2:] == ["OPEN", "COMPLETE"]
    assert [row["quantity"] for row in client.order_trades(order_id)] == [10]
    in_book = {row.broker_order_id: row for row in exchange.broker().order_book()}
    trades = [row for row in exchange.broker().trade_book() if row.broker_order_id == order_id]
    assert exchange.broker().order(order_id) == in_book[order_id]
    assert exchange.broker().order_trades(order_id) == trades
    for ask in (exchange.broker().order, exchange.broker().order_trades):
        with pytest.raises(BookUnavailable, match="Couldn't find"):
            ask("999999999999999")
    price = client.ltp("NSE:RELIANCE")["NSE:RELIANCE"]["last_price"]
    wanted = [{"exchange": "NSE", "tradingsymbol": "RELIANCE", "transaction_type": "BUY", "variety": "regular"}]
    wanted[0] |= {"product": "CNC", "order_type": "MARKET", "quantity": 2, "price": 0, "trigger_price": 0}  # type: ignore[dict-item]
    assert client.order_margins(wanted)[0]["total"] == pytest.approx(2 * price)
    everywhere, at_nse = client.instruments(), client.instruments("NSE")
    assert {"M&M", "RELIANCE"} <= {row["tradingsymbol"] for row in at_nse}
    assert {row["exchange"] for row in at_nse} == {"NSE"}
    assert {row["exchange"] for row in everywhere} == {"NSE", "BSE", "NFO"}
    assert all(row["expiry"] for row in everywhere if row["exchange"] == "NFO")


def test_a_limit_order_waits_for_its_price_and_can_be_cancelled(exchange: RunningExchange) -> None:
    client, broker = official_client(exchange), exchange.broker()
    terms = {"variety": "regular", "exchange": "NSE", "tradingsymbol": "ITC", "transaction_type": "BUY"}
    terms |= {"quantity": 5, "product": "CNC", "order_type": "LIMIT", "validity": "DAY"}
    order_id = client.place_order(price=350.0, **terms)
    (order,) = [row for row in broker.order_book() if row.broker_order_id == order_id]
    assert order.status is BrokerOrderStatus.OPEN
    broker.cancel(order_id)
    (order,) = [row for row in broker.order_book() if row.broker_order_id == order_id]
    assert (order.status, order.filled_quantity) == (BrokerOrderStatus.CANCELLED, 0)
    assert client.place_order(price=500.0, **terms) in {row.broker_order_id for row in broker.trade_book()}


def test_what_kite_does_not_take_is_answered_as_kite_answers(exchange: RunningExchange) -> None:
    headers = {"X-Kite-Version": "3", "Authorization": f"token {API_KEY}:{ACCESS_TOKEN}"}
    form = {"exchange": "NSE", "tradingsymbol": "TCS", "transaction_type": "BUY", "quantity": "1", "product": "CNC"}
    form |= {"order_type": "MARKET", "validity": "DAY"}
    with requests.Session() as http:
        http.trust_env = False
        unprotected = http.post(f"{exchange.url}/orders/regular", headers=headers, data=form, timeout=5)
        versionless = http.get(f"{exchange.url}/orders", headers={"Authorization": headers["Authorization"]}, timeout=5)
        lost = http.get(f"{exchange.url}/elsewhere", headers=headers, timeout=5)
    assert (unprotected.status_code, unprotected.json()["error_type"]) == (400, "InputException")
    assert versionless.status_code == 400
    assert (lost.status_code, lost.json()["status"]) == (404, "error")


def test_more_than_ten_orders_in_a_second_are_not_sent(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with start_exchange(tmp_path_factory.mktemp("limits"), limits=True) as exchange:
        broker = exchange.broker()
        with ThreadPoolExecutor(16) as threads:
            answers = Counter(threads.map(lambda _: answer(broker), range(60)))
        with exchange.ledger() as ledger:
            outcomes = Counter(arrival.outcome for arrival in ledger.arrivals())
    assert "RATE_LIMITED" in answers
    assert answers == outcomes


def answer(broker: Broker) -> str:
    try:
        broker.place(placement(), soon())
    except NotSent as refusal:
        return refusal.code
    return "ACCEPTED"
