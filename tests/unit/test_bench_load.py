"""The load generator: it sends what it was given, and knows a whole answer when it sees one."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from bench import clients
from bench.children import BenchError
from bench.clients import Client, load_orders, order_body, order_request
from bench.load import KEY, KEY_WIDTH, is_whole


class Gateway(ThreadingHTTPServer):
    """Accepts orders, and remembers them; every `refused`-th it refuses."""

    daemon_threads = True
    bodies: list[dict[str, Any]]
    refused = 0
    connections = 0

    def verify_request(self, request: Any, client_address: Any) -> bool:
        self.connections += 1
        return super().verify_request(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(json.loads(body) | {"token": self.headers["Authorization"]})
        is_refused = self.server.refused and len(self.server.bodies) % self.server.refused == 0
        self.send_response(429 if is_refused else 202)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway(("127.0.0.1", 0), _Handler) as server:
        server.bodies = []
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (b"", False),
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n", False),
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{", False),
        (b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
    ],
)
def test_an_answer_is_whole_with_its_last_byte(answer: bytes, whole: bool) -> None:
    assert is_whole(answer) is whole


def test_the_length_of_a_request_is_that_of_its_body_with_a_key() -> None:
    head, body = order_request("token", order_body(KEY)).split("\r\n\r\n")

    assert f"Content-Length: {len(body) - len(KEY) + KEY_WIDTH}" in head


def test_every_order_of_a_load_has_a_key_of_its_own_and_accounts_take_turns(gateway: Gateway) -> None:
    seen = load_orders(gateway.server_port, ["first", "second"], connections=4, seconds=20, most=50, num_splits=7)

    assert len(seen.latencies) >= 50
    assert len({body["order_unique_key"] for body in gateway.bodies}) == len(gateway.bodies)
    assert {body["split_config"]["num_splits"] for body in gateway.bodies} == {7}
    assert {body["token"] for body in gateway.bodies} == {"Bearer first", "Bearer second"}


def test_a_load_of_exactly_so_many_orders_sends_no_more(gateway: Gateway) -> None:
    load_orders(gateway.server_port, ["token"], connections=8, seconds=20, most=3)

    assert len(gateway.bodies) == 3


def test_a_load_that_is_refused_is_no_measurement(gateway: Gateway) -> None:
    gateway.refused = 5

    with pytest.raises(BenchError, match="429"):
        load_orders(gateway.server_port, ["token"], connections=2, seconds=20, most=10)


@pytest.mark.parametrize(("idle", "connections"), [(60.0, 1), (-1.0, 3)])
def test_who_has_not_asked_for_a_while_connects_anew(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, idle: float, connections: int
) -> None:
    """The gateway has ended the old connection by then."""
    monkeypatch.setattr(clients, "_IDLE_SECONDS", idle)
    client = Client(gateway.server_port, "token-1")

    for number in range(3):
        client.ask("POST", "/api/orders", {"number": number})

    assert [body["number"] for body in gateway.bodies] == [0, 1, 2]
    assert gateway.connections == connections
