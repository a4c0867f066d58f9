"""What makes a book prove too little: orders accepted late, and readings that lag, lack rows or are not ours."""

import secrets
import socket
import struct
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest

from api_contract.vocabulary import Side
from pulse_core.boottime import boottime
from pulse_core.brokers.port import BookUnavailable, BrokerOrder, BrokerOrderStatus, OutcomeUnknown, Placement, Refused
from pulse_ops.paper_exchange.ledger import Arrival, LedgerOrder
from tests.support.exchange import ACCESS_TOKEN, API_KEY, RunningExchange, start_exchange


@pytest.fixture
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with start_exchange(tmp_path_factory.mktemp("doubt")) as running:
        yield running


def placement(instrument: str = "NSE:RELIANCE") -> Placement:
    return Placement(secrets.token_hex(10).upper(), instrument, Side.BUY, 10)


def soon() -> float:
    return boottime() + 10


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def in_book(exchange: RunningExchange, order: Placement) -> BrokerOrder | None:
    book = exchange.broker().order_book()
    return next((row for row in book if row.client_order_id == order.client_order_id), None)


def in_ledger(exchange: RunningExchange, order: Placement) -> list[LedgerOrder]:
    with exchange.ledger() as ledger:
        return ledger.orders(order.client_order_id)


def arrival(exchange: RunningExchange, order: Placement) -> Arrival:
    with exchange.ledger() as ledger:
        (found,) = ledger.arrivals(order.client_order_id)
    return found


def send_and_reset(exchange: RunningExchange, order: Placement) -> None:
    """Send a placement, and reset the connection before any answer."""
    exchange_name, _, symbol = order.instrument.partition(":")
    form = {
        "exchange": exchange_name,
        "tradingsymbol": symbol,
        "transaction_type": "BUY",
        "quantity": order.quantity,
        "product": "CNC",
        "order_type": "MARKET",
        "market_protection": "-1",
        "tag": order.client_order_id,
    }
    body = urlencode(form).encode()
    head = (
        f"POST /orders/regular HTTP/1.1\r\nHost: localhost\r\nX-Kite-Version: 3\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nAuthorization: token {API_KEY}:{ACCESS_TOKEN}\r\n\r\n"
    )
    host, _, port = exchange.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body)
        wait_for(lambda: bool(in_arrivals(exchange, order)))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def in_arrivals(exchange: RunningExchange, order: Placement) -> list[Arrival]:
    with exchange.ledger() as ledger:
        return ledger.arrivals(order.client_order_id)


def test_an_order_is_accepted_long_after_its_client_has_gone(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "slow_accept", "seconds": 3})
    given_up, torn_off = placement(), placement()
    with pytest.raises(OutcomeUnknown):
        exchange.broker(timeout=0.3).place(given_up, soon())
    send_and_reset(exchange, torn_off)
    assert [arrival(exchange, order).outcome for order in (given_up, torn_off)] == ["PENDING", "PENDING"]
    assert in_book(exchange, given_up) is None

    for order in (given_up, torn_off):
        wait_for(lambda order=order: in_book(exchange, order) is not None)  # type: ignore[misc]
        (booked,), came = in_ledger(exchange, order), arrival(exchange, order)
        assert (came.outcome, came.order_id, came.faults) == ("ACCEPTED", booked.order_id, ("slow_accept",))
        assert 3 <= (booked.placed_at - came.arrived_at).total_seconds() < 10


def test_a_client_that_waits_for_a_late_acceptance_is_told_the_order(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "slow_accept", "seconds": 0.5})
    order = placement()
    order_id = exchange.broker().place(order, soon())
    assert [booked.order_id for booked in in_ledger(exchange, order)] == [order_id]


def test_late_acceptances_hold_nobody_up(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "slow_accept", "seconds": 60, "instrument": "NSE:TCS"})
    for _ in range(30):
        send_and_reset(exchange, placement("NSE:TCS"))
    began = time.monotonic()
    for _ in range(5):
        exchange.broker().place(placement(), soon())
        exchange.broker().order_book()
    assert time.monotonic() - began < 5
    assert exchange.stop() == 0


def test_an_acceptance_that_its_exchange_did_not_live_to_see_never_comes(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "slow_accept", "seconds": 1})
    order = placement()
    with pytest.raises(OutcomeUnknown):
        exchange.broker(timeout=0.2).place(order, soon())
    exchange.restart()
    exchange.set_faults({"fault": "open_pending", "seconds": 1.5})
    later = placement()
    exchange.broker().place(later, soon())
    wait_for(lambda: in_ledger(exchange, later)[0].status == "COMPLETE")
    assert (in_ledger(exchange, order), arrival(exchange, order).outcome) == ([], "LOST")


def test_what_waited_for_its_acceptance_over_the_days_end_is_lost(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "slow_accept", "seconds": 1})
    order = placement()
    with pytest.raises(OutcomeUnknown):
        exchange.broker(timeout=0.2).place(order, soon())
    exchange.end_day()
    wait_for(lambda: arrival(exchange, order).outcome == "LOST")
    assert in_ledger(exchange, order) == []


def test_a_refusal_can_stand_rejected_in_the_book(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "refuse_in_book", "error_type": "MarginException", "message": "Insufficient funds."})
    order = placement()
    with pytest.raises(Refused) as refusal:
        exchange.broker().place(order, soon())
    found, came = in_book(exchange, order), arrival(exchange, order)
    assert found is not None
    assert (found.status, found.filled_quantity, found.message) == (
        BrokerOrderStatus.REJECTED,
        0,
        "Insufficient funds.",
    )
    assert refusal.value.code == "MarginException"
    assert (came.outcome, came.order_id) == ("REFUSED", found.broker_order_id)
    (booked,) = in_ledger(exchange, order)
    assert booked.ended_at == booked.placed_at


def test_the_orders_of_one_instrument_and_their_trades_can_lag_behind_the_others(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "book_delay", "seconds": 3, "instrument": "NSE:INFY"})
    late, prompt, broker = placement("NSE:INFY"), placement("NSE:TCS"), exchange.broker()
    late_id, prompt_id = broker.place(late, soon()), broker.place(prompt, soon())

    assert [row.broker_order_id for row in broker.order_book()] == [prompt_id]
    assert [trade.broker_order_id for trade in broker.trade_book()] == [prompt_id]

    wait_for(lambda: len(broker.order_book()) == 2)
    assert {trade.broker_order_id for trade in broker.trade_book()} == {late_id, prompt_id}


def test_an_empty_book_is_a_book_without_rows(exchange: RunningExchange) -> None:
    broker = exchange.broker()
    broker.place(placement(), soon())
    exchange.set_faults({"fault": "book_empty", "count": 2})
    assert (list(broker.order_book()), list(broker.trade_book())) == ([], [])
    assert (len(broker.order_book()), len(broker.trade_book())) == (1, 1)


def test_a_stale_book_shows_orders_and_trades_as_they_stood_back_then(exchange: RunningExchange) -> None:
    broker, old, new = exchange.broker(), placement(), placement()
    exchange.set_faults({"fault": "partial_fill", "fraction": 0.4, "count": 1})
    old_id = broker.place(old, soon())
    (placed,) = in_ledger(exchange, old)
    wait_for(lambda: time.time() - placed.placed_at.timestamp() > 1.5)
    broker.cancel(old_id)
    broker.place(new, soon())

    since = time.time() - placed.placed_at.timestamp()
    exchange.set_faults({"fault": "book_stale", "seconds": since - 0.5})

    (row,) = broker.order_book()
    (trade,) = broker.trade_book()
    assert (row.broker_order_id, row.status, row.filled_quantity) == (old_id, BrokerOrderStatus.OPEN, 4)
    assert (trade.broker_order_id, trade.price) == (old_id, row.average_price)

    exchange.set_faults({"fault": "book_stale", "seconds": since + 5})
    assert (list(broker.order_book()), list(broker.trade_book())) == ([], [])


def test_a_cut_book_lacks_its_newest_rows(exchange: RunningExchange) -> None:
    broker = exchange.broker()
    ids = [broker.place(placement(), soon()) for _ in range(5)]
    exchange.set_faults({"fault": "book_cut", "fraction": 0.5})
    assert [row.broker_order_id for row in broker.order_book()] == ids[:2]
    assert [trade.broker_order_id for trade in broker.trade_book()] == ids[:2]


def test_another_accounts_book_is_well_formed_and_shows_nothing_of_ours(exchange: RunningExchange) -> None:
    broker, order = exchange.broker(), placement()
    order_id = broker.place(order, soon())
    exchange.set_faults({"fault": "book_foreign"})
    book, trades = broker.order_book(), broker.trade_book()
    assert book
    assert trades
    assert order_id not in {row.broker_order_id for row in book} | {trade.broker_order_id for trade in trades}
    assert order.client_order_id not in {row.client_order_id for row in book}
    assert {trade.broker_order_id for trade in trades} <= {row.broker_order_id for row in book}


def test_a_book_that_is_down_among_readings_of_other_kinds_is_still_down(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "book_down", "count": 1}, {"fault": "book_empty"})
    with pytest.raises(BookUnavailable):
        exchange.broker().order_book()
    assert list(exchange.broker().order_book()) == []
