"""What the exchange's server makes of requests that are none, come late, or are meant for somebody else."""

import json
import socket
import threading
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pulse_ops.paper_exchange import arriving
from pulse_ops.paper_exchange import server as server_module
from pulse_ops.paper_exchange.server import Server


def told_its_body(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server("127.0.0.1", 0, told_its_body, ["exchange", "Exchange.Lan"])
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "ARRIVAL_SECONDS", 0.2)


def ask(server: Server, sent: bytes) -> bytes:
    """All that comes back until the server closes; whoever waits for more than ten seconds has failed."""
    with socket.create_connection(server.server_address[:2], timeout=10) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def post(*headers: str, body: bytes = b"", host: str = "Host: localhost") -> bytes:
    lines = ["POST /orders/regular HTTP/1.1", *([host] if host else []), *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


@pytest.mark.parametrize(
    "length", ["-1", "+5", "five", "0x5", "5.0", "", "1_0", "٣".encode().decode("latin-1"), "9" * 40]
)
def test_a_length_that_is_none_is_refused_at_once(server: Server, length: str) -> None:
    answer = ask(server, post(f"Content-Length: {length}", body=b"12345"))
    assert status(answer) == 400
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error_type"] == "InputException"


def test_two_lengths_and_a_body_in_chunks_are_refused(server: Server) -> None:
    assert status(ask(server, post("Content-Length: 5", "Content-Length: 6", body=b"123456"))) == 400
    assert status(ask(server, post("Transfer-Encoding: chunked", body=b"2\r\nab\r\n0\r\n\r\n"))) == 411


def test_a_body_that_is_too_long_is_refused_before_it_is_sent(server: Server) -> None:
    assert status(ask(server, post(f"Content-Length: {arriving.MAX_BODY_BYTES + 1}"))) == 413


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8002", "127.0.0.1:8002", "[::1]:8002", "exchange:8002", "exchange.lan.", "localhost:"],
)
def test_its_own_names_are_served_at_any_port(server: Server, host: str) -> None:
    answer = ask(server, post("Connection: close", "Content-Length: 2", body=b"ok", host=f"Host: {host}"))
    assert status(answer) == 200
    assert answer.endswith(b"ok")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8002", "127.0.0.1.evil.example", "localhost.evil", "10.0.0.7"]
)
def test_a_name_of_others_is_not_served(server: Server, host: str) -> None:
    assert status(ask(server, post("Content-Length: 2", body=b"no", host=f"Host: {host}"))) == 421


@pytest.mark.parametrize("host", ["", "Host:", "Host: a b", "Host: localhost@evil", "Host: localhost\r\nHost: evil"])
def test_a_request_without_one_host_is_refused(server: Server, host: str) -> None:
    assert status(ask(server, post("Content-Length: 0", host=host))) == 400


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("sent", [post("Content-Length: 5", body=b"12"), b"POST / HTTP/1.1\r\nHost: local", b"PO"])
def test_a_request_that_does_not_come_to_its_end_holds_no_thread(server: Server, sent: bytes) -> None:
    # Servers of other tests may have threads too.
    before = set(threading.enumerate())
    answer = ask(server, sent)
    assert answer == b"" or status(answer) == 408
    serving = [one for one in threading.enumerate() if "process_request" in one.name and one not in before]
    for thread in serving:
        thread.join(10)
    assert not any(thread.is_alive() for thread in serving)


@pytest.mark.usefixtures("hasty")
def test_a_body_that_trickles_in_is_late_as_a_whole(server: Server) -> None:
    with socket.create_connection(server.server_address[:2], timeout=10) as connection:
        connection.sendall(post("Content-Length: 1000000"))
        connection.settimeout(0.02)
        answer = b""
        while not answer:
            try:
                connection.sendall(b"x")
                answer = connection.recv(65_536)
            except TimeoutError:
                continue
    assert status(answer) == 408


@pytest.mark.usefixtures("hasty")
def test_a_connection_may_rest_between_two_requests(server: Server) -> None:
    with socket.create_connection(server.server_address[:2], timeout=10) as connection:
        for _ in range(2):
            connection.sendall(post("Content-Length: 2", body=b"ok"))
            received = b""
            while not received.endswith(b"ok"):
                received += connection.recv(65_536)
            # Longer than a request may take to arrive.
            threading.Event().wait(0.3)


def test_a_connection_that_nobody_uses_any_more_is_closed_without_a_word(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(server_module, "log", SimpleNamespace(warning=lambda what, **_details: told.append(what)))
    monkeypatch.setattr(arriving, "REST_SECONDS", 0.1)

    assert ask(server, post("Content-Length: 2", body=b"ok")).endswith(b"ok")
    assert told == []

    assert b"Error code: 400" in ask(server, b"no request at all\r\n\r\n")
    assert set(told) == {"request not understood"}


def test_the_address_that_it_is_reached_at_is_its_own_wherever_it_listens() -> None:
    everywhere = Server("0.0.0.0", 0, told_its_body)
    threading.Thread(target=everywhere.handle_request, daemon=True).start()
    with socket.create_connection(("127.0.0.2", everywhere.server_address[1]), timeout=10) as connection:
        connection.sendall(post("Connection: close", "Content-Length: 2", body=b"ok", host="Host: 127.0.0.2:8002"))
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    everywhere.server_close()
    assert status(answer) == 200
