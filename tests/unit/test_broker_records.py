"""The judge's view of a broker that goes on trading while it is read."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from pulse_ops.verify import broker_records

ORDER = {"tag": "", "status": "COMPLETE", "quantity": 1, "filled_quantity": 1}
TRADE = {"quantity": 1, "average_price": "10.5", "fill_timestamp": "2026-11-27 10:00:00"}


class BusyBroker(BaseHTTPRequestHandler):
    """One more order has been placed and filled with each question."""

    def do_GET(self) -> None:
        self.server.traded = getattr(self.server, "traded", 0) + 1  # type: ignore[attr-defined]
        numbers = [str(number) for number in range(self.server.traded)]  # type: ignore[attr-defined]
        orders = [ORDER | {"order_id": number} for number in numbers]
        trades = [TRADE | {"order_id": number, "trade_id": number} for number in numbers]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": orders if self.path == "/orders" else trades}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def busy_broker() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), BusyBroker) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_order_of_each_trade_is_in_the_books_of_a_broker_that_trades_on(busy_broker: str) -> None:
    books = broker_records.from_kite(busy_broker, "key", "token")

    assert {trade.order_id for trade in books.trades} == {"0"}
    assert {order.order_id for order in books.orders} == {"0", "1"}
