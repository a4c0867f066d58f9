"""A call to the broker that is over leaves nothing on the wire, and none lasts longer than its time-out."""

import queue
import re
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import InsecureRequestWarning

from api_contract.log import bound_trace
from api_contract.spans import trace_of
from pulse_core.brokers import transport
from pulse_core.brokers.port import BookUnavailable, NotSent, OutcomeUnknown, Refused
from pulse_core.brokers.zerodha.broker import BOOK_PATIENCE, ZerodhaBroker
from tests.support.certificates import self_signed
from tests.unit.test_zerodha_placement import PLACEMENT, accepted, answer, broker, error, soon
from tests.unit.wire import Act, wire

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
LAST_HEAD = HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TIMEOUT = 1.0
# What a busy machine may add to it.
SLACK = 1.0
# The state of a connection that was reset (TCP_CLOSE); one whose other end was closed would wait for ours.
RESET = 7

urllib3.disable_warnings(InsecureRequestWarning)

Call = Callable[[ZerodhaBroker], object]
CALLS = {
    "place": lambda broker: broker.place(PLACEMENT, soon()),
    "cancel": lambda broker: broker.cancel("1"),
    "book": lambda broker: broker.order_book(),
}


@pytest.fixture(params=["http", "https"])
def certificate(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return self_signed(tmp_path) if request.param == "https" else None


@pytest.fixture(params=CALLS.values(), ids=CALLS.keys())
def call(request: pytest.FixtureRequest) -> Call:
    return request.param  # type: ignore[no-any-return]


def trusting(url: str) -> ZerodhaBroker:
    connected = broker(url, TIMEOUT)
    connected._client.disable_ssl = True
    return connected


def linger(wire: socket.socket) -> tuple[int, ...]:
    return struct.unpack("ii", wire.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))


def test_every_connection_is_reset_when_it_closes_and_ends_by_itself_within_the_calls_time(
    certificate: Path | None, call: Call, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    patience = BOOK_PATIENCE if "book" in request.node.callspec.id else 1
    at_sending: list[tuple[object, ...]] = []
    send = transport._Leaving.send

    def look_then_send(self: HTTPConnection, data: bytes) -> None:
        user_timeout = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        no_delay = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        at_sending.append((linger(self.sock), user_timeout, bool(no_delay)))
        send(self, data)  # type: ignore[arg-type]

    monkeypatch.setattr(transport._Leaving, "send", look_then_send)
    with wire(answer(503, b""), certificate) as end:
        for _ in range(2):
            with pytest.raises((OutcomeUnknown, BookUnavailable)):
                call(trusting(end.url))
    assert len(end.requests) == 2
    assert set(at_sending) == {((1, 0), 750 * patience, True)}


def test_a_connection_is_reset_by_closing_before_anything_left(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, ...]] = []
    connect = HTTPConnection._new_conn

    def note(self: HTTPConnection) -> socket.socket:
        made.append(linger(connected := connect(self)))
        return connected

    monkeypatch.setattr(HTTPConnection, "_new_conn", note)
    # A server that speaks no TLS: the handshake fails.
    with wire(answer(200, accepted())) as end, pytest.raises(NotSent):
        trusting(end.url.replace("http", "https")).place(PLACEMENT, soon())
    assert made == [(1, 0)]


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEAD[:30], id="half a head"),
        pytest.param(HEAD, id="a head"),
        pytest.param(LAST_HEAD, id="a last head"),
    ],
)
def test_a_call_that_ends_without_an_answer_resets_its_connection_at_once(
    certificate: Path | None, said: bytes
) -> None:
    endings: queue.Queue[int] = queue.Queue()

    def say_and_wait(connection: socket.socket) -> None:
        connection.sendall(said)
        with suppress(ConnectionResetError):
            connection.recv(1)
        endings.put(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0])

    with wire(say_and_wait, certificate) as end:
        connected = trusting(end.url)
        with pytest.raises(OutcomeUnknown) as raised:
            connected.place(PLACEMENT, soon())
        # The error, its traceback and the pool are all still there.
        assert endings.get(timeout=SLACK) == RESET
        assert raised.value.code == "NO_ANSWER"


@pytest.mark.parametrize("at_once", [pytest.param(b"", id="head"), pytest.param(HEAD, id="body")])
def test_an_answer_that_drips_in_has_no_more_time_than_any_other(certificate: Path | None, at_once: bytes) -> None:
    with wire(drip(at_once), certificate) as end:
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown) as raised:
            trusting(end.url).place(PLACEMENT, soon())
        assert time.monotonic() - began < TIMEOUT + SLACK
    assert raised.value.code == "NO_ANSWER"


def test_time_that_passes_while_connecting_is_not_taken_from_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = HTTPConnection.connect

    def connect_slowly(self: HTTPConnection) -> None:
        connect(self)
        time.sleep(TIMEOUT)

    def answer_slowly(connection: socket.socket) -> None:
        time.sleep(TIMEOUT / 4)
        answer(200, accepted())(connection)

    monkeypatch.setattr(HTTPConnection, "connect", connect_slowly)
    with wire(answer_slowly) as end:
        assert trusting(end.url).place(PLACEMENT, soon()) == "151220000000000"


def test_half_a_refusal_refuses_nothing() -> None:
    # The other half may say that the order system was lost on the way.
    with wire(answer(400, b'{"status": "error", "err', length=500)) as end, pytest.raises(OutcomeUnknown):
        trusting(end.url).place(PLACEMENT, soon())
    with wire(answer(429, b"", length=500)) as end, pytest.raises(OutcomeUnknown):
        trusting(end.url).place(PLACEMENT, soon())


def test_a_connection_is_used_again_after_a_whole_answer(certificate: Path | None) -> None:
    def answer_twice(connection: socket.socket) -> None:
        for status, body in ((400, error("InputException")), (200, accepted())):
            lines = (f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(body)}", "", "")
            connection.sendall("\r\n".join(lines).encode() + body)
            connection.recv(65_536)

    with wire(answer_twice, certificate) as end:
        connected = trusting(end.url)
        with pytest.raises(Refused):
            connected.cancel("1")
        connected.cancel("1")
    assert len(end.requests) == 1


def drip(at_once: bytes) -> Act:
    def act(connection: socket.socket) -> None:
        connection.sendall(at_once)
        for number in range(400):
            time.sleep(TIMEOUT / 10)
            connection.sendall(HEAD[number % len(HEAD) :][:1])

    return act


def test_a_call_to_the_broker_carries_its_step_of_the_trace() -> None:
    with wire(answer(200, accepted())) as end, bound_trace({"traceparent": TRACEPARENT}):
        broker(end.url).place(PLACEMENT, soon())

    sent = re.search(r"traceparent: (\S+)\r\n", end.requests[0].decode())
    assert sent
    assert trace_of(sent[1]) == trace_of(TRACEPARENT)
    assert sent[1] != TRACEPARENT


@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "success", "data": {"order_id": "1", "note": NaN}}',
        b'{"status": "success", "data": {"order_id": "1", "note": "\\ud800"}}',
    ],
)
def test_what_the_fast_parser_refuses_is_read_all_the_same(body: bytes) -> None:
    with wire(answer(200, body)) as end:
        assert broker(end.url).place(PLACEMENT, soon()) == "1"
