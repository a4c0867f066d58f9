"""Every fault of the scenario, seen through the adapter and in the ledger."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from api_contract.vocabulary import Side
from pulse_core.boottime import boottime
from pulse_core.brokers.port import (
    BookUnavailable,
    BrokerOrder,
    BrokerOrderStatus,
    NotSent,
    OutcomeUnknown,
    Placement,
    Refused,
)
from pulse_core.brokers.zerodha.postback import postback_checksum
from pulse_ops.paper_exchange.ledger import LedgerOrder
from tests.support.exchange import API_SECRET, RunningExchange, start_exchange


class Inbox:
    """Where the exchange posts its news."""

    def __init__(self) -> None:
        inbox = self
        self.news: list[dict[str, Any]] = []

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                inbox.news.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def about(self, tag: str) -> list[dict[str, Any]]:
        return [news for news in self.news if news["tag"] == tag]


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    running = Inbox()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, inbox: Inbox) -> Iterator[RunningExchange]:
    url = f"http://127.0.0.1:{inbox.server.server_address[1]}/postback"
    with start_exchange(tmp_path_factory.mktemp("faults"), postback_url=url) as exchange:
        yield exchange


@pytest.fixture
def exchange(running: RunningExchange) -> Iterator[RunningExchange]:
    yield running
    running.set_faults()


def placement(quantity: int = 10) -> Placement:
    return Placement(secrets.token_hex(10).upper(), "NSE:RELIANCE", Side.BUY, quantity)


def soon() -> float:
    return boottime() + 10


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def in_book(exchange: RunningExchange, order: Placement) -> BrokerOrder | None:
    book = exchange.broker().order_book()
    return next((row for row in book if row.client_order_id == order.client_order_id), None)


def in_ledger(exchange: RunningExchange, order: Placement) -> list[LedgerOrder]:
    with exchange.ledger() as ledger:
        return ledger.orders(order.client_order_id)


@pytest.mark.parametrize(
    ("fault", "code"), [("ack_lost", "NO_ANSWER"), ("error_after", "NetworkException"), ("unreadable", "HTTP_200")]
)
def test_an_acknowledgement_that_is_lost_is_unknown_while_the_order_stands(
    exchange: RunningExchange, fault: str, code: str
) -> None:
    exchange.set_faults({"fault": fault})
    order = placement()
    with pytest.raises(OutcomeUnknown) as unknown:
        exchange.broker().place(order, soon())
    assert unknown.value.code == code
    assert len(in_ledger(exchange, order)) == 1


@pytest.mark.parametrize(("fault", "code"), [("error_before", "NetworkException"), ("lost_before", "NO_ANSWER")])
def test_a_failure_before_acceptance_is_unknown_too_though_nothing_was_placed(
    exchange: RunningExchange, fault: str, code: str
) -> None:
    exchange.set_faults({"fault": fault})
    order = placement()
    with pytest.raises(OutcomeUnknown) as unknown:
        exchange.broker().place(order, soon())
    assert unknown.value.code == code
    assert in_ledger(exchange, order) == []


@pytest.mark.parametrize("fault", ["slow", "slow_accept"])
def test_an_answer_slower_than_the_time_out_is_unknown_and_the_order_stands_in_the_end(
    exchange: RunningExchange, fault: str
) -> None:
    exchange.set_faults({"fault": fault, "seconds": 0.6})
    order = placement()
    with pytest.raises(OutcomeUnknown):
        exchange.broker(timeout=0.2).place(order, soon())
    wait_for(lambda: len(in_ledger(exchange, order)) == 1)


def test_rate_limited_is_not_sent_and_refused_is_refused(exchange: RunningExchange) -> None:
    exchange.set_faults(
        {"fault": "rate_limited", "count": 1},
        {"fault": "refuse", "count": 1, "error_type": "MarginException", "message": "Insufficient funds."},
    )
    order = placement()
    with pytest.raises(NotSent):
        exchange.broker().place(order, soon())
    with pytest.raises(Refused) as refusal:
        exchange.broker().place(order, soon())
    assert (refusal.value.code, refusal.value.message) == ("MarginException", "Insufficient funds.")
    assert in_ledger(exchange, order) == []
    exchange.broker().place(order, soon())
    assert len(in_ledger(exchange, order)) == 1


def test_an_order_can_be_acknowledged_and_rejected_later(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "reject", "message": "RMS: blocked"})
    order = placement()
    exchange.broker().place(order, soon())
    found = in_book(exchange, order)
    assert found is not None
    assert (found.status, found.message, found.filled_quantity) == (BrokerOrderStatus.REJECTED, "RMS: blocked", 0)


def test_a_partial_fill_stays_open_until_the_rest_is_cancelled(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "partial_fill", "fraction": 0.4})
    order, broker = placement(), exchange.broker()
    order_id = broker.place(order, soon())
    found = in_book(exchange, order)
    assert found is not None
    assert (found.status, found.filled_quantity) == (BrokerOrderStatus.OPEN, 4)
    broker.cancel(order_id)
    (booked,) = in_ledger(exchange, order)
    assert (booked.status, booked.filled_quantity, booked.cancelled_quantity) == ("CANCELLED", 4, 6)


def test_a_pending_order_fills_after_its_time(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "open_pending", "seconds": 1.5})
    order = placement()
    exchange.broker().place(order, soon())
    found = in_book(exchange, order)
    assert found is not None
    assert found.status is BrokerOrderStatus.OPEN
    wait_for(lambda: in_ledger(exchange, order)[0].status == "COMPLETE")


def test_a_fill_delay_holds_every_order_up(exchange: RunningExchange) -> None:
    exchange.set_faults(fill_delay=1.5)
    order = placement()
    exchange.broker().place(order, soon())
    assert in_ledger(exchange, order)[0].status == "OPEN"
    wait_for(lambda: in_ledger(exchange, order)[0].status == "COMPLETE")


def test_a_late_fill_comes_after_the_cancellation_and_the_order_stays_cancelled(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "late_fill", "seconds": 1, "fraction": 0.5})
    order, broker = placement(), exchange.broker()
    broker.cancel(broker.place(order, soon()))
    assert in_ledger(exchange, order)[0].filled_quantity == 0
    wait_for(lambda: in_ledger(exchange, order)[0].filled_quantity == 5)
    found = in_book(exchange, order)
    assert found is not None
    assert (found.status, found.filled_quantity) == (BrokerOrderStatus.CANCELLED, 5)


def test_a_delayed_book_shows_an_accepted_order_only_later(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "book_delay", "seconds": 2})
    order, broker = placement(), exchange.broker()
    order_id = broker.place(order, soon())
    assert in_book(exchange, order) is None
    assert order_id not in {trade.broker_order_id for trade in broker.trade_book()}
    wait_for(lambda: in_book(exchange, order) is not None)


def test_a_book_that_is_down_is_unavailable_as_often_as_the_scenario_says(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "book_down", "count": 2})
    for _ in range(2):
        with pytest.raises(BookUnavailable):
            exchange.broker().order_book()
    exchange.broker().order_book()


@pytest.mark.parametrize(("fault", "status"), [("cancel_lost", "CANCELLED"), ("cancel_down", "OPEN")])
def test_a_cancellation_without_an_answer_is_unknown_and_may_have_happened(
    exchange: RunningExchange, fault: str, status: str
) -> None:
    exchange.set_faults({"fault": "partial_fill"}, {"fault": fault})
    order, broker = placement(), exchange.broker()
    order_id = broker.place(order, soon())
    with pytest.raises(OutcomeUnknown):
        broker.cancel(order_id)
    assert in_ledger(exchange, order)[0].status == status


def test_news_of_a_fill_is_posted_with_a_sound_signature(exchange: RunningExchange, inbox: Inbox) -> None:
    order = placement()
    order_id = exchange.broker().place(order, soon())
    wait_for(lambda: bool(inbox.about(order.client_order_id)))
    (news,) = inbox.about(order.client_order_id)
    assert (news["order_id"], news["status"], news["filled_quantity"]) == (order_id, "COMPLETE", 10)
    assert news["checksum"] == postback_checksum(order_id, news["order_timestamp"], API_SECRET)


def test_an_order_that_merely_stands_open_is_no_news_but_its_fills_and_its_end_are(
    exchange: RunningExchange, inbox: Inbox
) -> None:
    resting, part, broker = placement(), placement(), exchange.broker()
    exchange.set_faults(
        {"fault": "open_pending", "tag": resting.client_order_id, "seconds": 60},
        {"fault": "partial_fill", "tag": part.client_order_id},
    )
    for order in (resting, part):
        broker.cancel(broker.place(order, soon()))

    wait_for(lambda: len(inbox.about(part.client_order_id)) == 2)

    assert [news["status"] for news in inbox.about(resting.client_order_id)] == ["CANCEL"]
    assert [news["status"] for news in inbox.about(part.client_order_id)] == ["UPDATE", "CANCEL"]


def test_news_may_come_twice_late_or_never(exchange: RunningExchange, inbox: Inbox) -> None:
    twice, late, never, last = (placement() for _ in range(4))
    exchange.set_faults(
        {"fault": "postback_duplicated", "tag": twice.client_order_id},
        {"fault": "postback_reordered", "tag": late.client_order_id, "seconds": 1.5},
        {"fault": "postback_lost", "tag": never.client_order_id},
    )
    for order in (twice, late, never, last):
        exchange.broker().place(order, soon())
    wait_for(lambda: bool(inbox.about(late.client_order_id)))
    tags = [news["tag"] for news in inbox.news]
    assert tags.index(last.client_order_id) < tags.index(late.client_order_id)
    assert tags.count(twice.client_order_id) == 2
    assert never.client_order_id not in tags
