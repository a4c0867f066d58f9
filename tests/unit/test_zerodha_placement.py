"""What each answer on the wire means for an order."""

import json
import socket
import time
from collections.abc import Callable
from urllib.parse import parse_qs

import pytest

from api_contract.vocabulary import Side
from pulse_core.boottime import boottime
from pulse_core.brokers import transport
from pulse_core.brokers.port import BrokerError, NotSent, OutcomeUnknown, Placement, Refused
from pulse_core.brokers.zerodha.broker import ZerodhaBroker
from pulse_ops.stack.ports import free_port
from tests.unit.wire import Act, answer, hang_up, redirect, reset, say_nothing, wire

PLACEMENT = Placement("ABCDEFGHIJ0123456789", "NSE:M&M", Side.BUY, 12)
API_KEY, ACCESS_TOKEN = "key-0123456789", "token-0123456789"
HTML = b"<html><body>Bad gateway</body></html>"


def broker(url: str, timeout: float = 5.0, **changes: object) -> ZerodhaBroker:
    settings: dict[str, object] = {"name": "zerodha", "api_key": API_KEY, "access_token": ACCESS_TOKEN} | changes
    return ZerodhaBroker(root=url, timeout=timeout, **settings)  # type: ignore[arg-type]


def soon() -> float:
    return boottime() + 10


def accepted(order_id: object = "151220000000000") -> bytes:
    return json.dumps({"status": "success", "data": {"order_id": order_id}}).encode()


def error(error_type: str, message: str = "no") -> bytes:
    return json.dumps({"status": "error", "error_type": error_type, "message": message, "data": None}).encode()


def outcome(act: Act, timeout: float = 5.0) -> BrokerError:
    with wire(act) as end, pytest.raises(BrokerError) as raised:
        broker(end.url, timeout).place(PLACEMENT, soon())
    assert len(end.requests) == 1
    return raised.value


def test_an_accepted_order_returns_its_id_and_was_sent_with_every_field_the_exchange_demands() -> None:
    with wire(answer(200, accepted())) as end:
        assert broker(end.url).place(PLACEMENT, soon()) == "151220000000000"
    head, _, body = end.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /orders/regular HTTP/1.1")
    assert b"X-Kite-Version: 3" in head
    assert f"Authorization: token {API_KEY}:{ACCESS_TOKEN}".encode() in head
    assert parse_qs(body.decode()) == {
        "variety": ["regular"],
        "exchange": ["NSE"],
        "tradingsymbol": ["M&M"],
        "transaction_type": ["BUY"],
        "quantity": ["12"],
        "product": ["CNC"],
        "order_type": ["MARKET"],
        "validity": ["DAY"],
        "market_protection": ["-1"],
        "tag": ["ABCDEFGHIJ0123456789"],
    }


def test_the_id_that_the_exchange_has_given_an_algorithm_goes_with_each_order() -> None:
    with wire(answer(200, accepted())) as end:
        broker(end.url, algo_id="ALGO1").place(PLACEMENT, soon())
    assert b"algo_id=ALGO1" in end.requests[0]


@pytest.mark.parametrize(
    ("status", "error_type"),
    [
        (400, "InputException"),
        (400, "MarginException"),
        (400, "HoldingException"),
        (400, "OrderException"),
        (400, "UserException"),
        (400, "GeneralException"),
        (404, "OrderException"),
        (405, "GeneralException"),
        (410, "GeneralException"),
    ],
)
def test_an_explicit_no_is_a_refusal_that_keeps_the_brokers_own_words(status: int, error_type: str) -> None:
    refusal = outcome(answer(status, error(error_type, "Insufficient funds.")))
    assert isinstance(refusal, Refused)
    assert (refusal.code, refusal.message) == (error_type, "Insufficient funds.")


def test_a_no_in_html_is_still_a_no() -> None:
    refusal = outcome(answer(403, HTML, "text/html"))
    assert isinstance(refusal, Refused)
    assert refusal.code == "HTTP_403"


@pytest.mark.parametrize("body", [error("NetworkException"), HTML])
def test_too_many_requests_means_not_sent(body: bytes) -> None:
    assert isinstance(outcome(answer(429, body)), NotSent)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(reset, id="reset after the request"),
        pytest.param(hang_up, id="closed after the request"),
        pytest.param(answer(200, b'{"status": "succ', length=500), id="half a body"),
        pytest.param(answer(200, b'{"status": "succ'), id="broken JSON"),
        pytest.param(answer(200, HTML, "text/html"), id="200 in HTML"),
        pytest.param(answer(200, accepted(), content_type=None), id="200 without a content type"),
        pytest.param(answer(200, b'{"status": "success", "data": {}}'), id="200 without an order id"),
        pytest.param(answer(200, b'{"status": "success", "data": null}'), id="200 without data"),
        pytest.param(answer(200, accepted(None)), id="an order id of null"),
        pytest.param(answer(200, accepted("")), id="an empty order id"),
        pytest.param(answer(200, b"[]"), id="a list"),
        pytest.param(answer(200, b"null"), id="null"),
        pytest.param(answer(200, error("InputException")), id="an error under 200"),
        pytest.param(answer(204, b""), id="no content"),
        pytest.param(answer(408, HTML, "text/html"), id="the gateway's own time-out"),
        pytest.param(answer(409, HTML, "text/html"), id="a conflict: something may be there"),
        pytest.param(answer(425, HTML, "text/html"), id="somebody in between that would ask again"),
        pytest.param(answer(499, HTML, "text/html"), id="somebody in between that gave up"),
        pytest.param(answer(400, error("NetworkException")), id="a lost order system under 400"),
        pytest.param(answer(500, error("GeneralException")), id="500"),
        pytest.param(answer(500, accepted()), id="an order id under 500"),
        pytest.param(answer(500, b'{"status": "error", "error_type": "__name__"}'), id="an unheard-of error type"),
        pytest.param(answer(502, HTML, "text/html"), id="502 in HTML"),
        pytest.param(answer(503, error("NetworkException")), id="503"),
        pytest.param(answer(504, error("NetworkException")), id="504"),
        pytest.param(answer(502, error("InputException")), id="a client's error under 502"),
        pytest.param(lambda wire: wire.sendall(b"what?\r\n\r\n"), id="not HTTP"),
    ],
)
def test_whatever_leaves_a_doubt_is_unknown(act: Act) -> None:
    assert isinstance(outcome(act), OutcomeUnknown)


def test_an_answer_that_does_not_come_in_time_is_unknown() -> None:
    assert isinstance(outcome(say_nothing, timeout=0.2), OutcomeUnknown)


def test_a_redirect_is_not_followed_for_it_would_send_the_order_twice() -> None:
    with wire(answer(200, accepted())) as elsewhere:
        assert isinstance(outcome(redirect(f"{elsewhere.url}/orders/regular")), OutcomeUnknown)
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(lambda: f"http://127.0.0.1:{free_port()}", id="refused connection"),
        pytest.param(lambda: "http://no-such-host.invalid", id="unresolved name"),
    ],
)
def test_without_a_connection_nothing_was_sent(url: Callable[[], str]) -> None:
    with pytest.raises(NotSent) as raised:
        broker(url()).place(PLACEMENT, soon())
    assert raised.value.code == "UNREACHABLE"


def test_a_connection_that_is_not_made_in_time_means_nothing_was_sent() -> None:
    # A listener whose queue is full answers no further knock.
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        with pytest.raises(NotSent):
            broker(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.3).place(PLACEMENT, soon())


def test_an_order_whose_time_has_passed_does_not_leave() -> None:
    with wire(answer(200, accepted())) as end, pytest.raises(NotSent) as raised:
        broker(end.url).place(PLACEMENT, boottime() - 0.001)
    assert raised.value.code == "LATE"
    assert end.requests == []


def test_an_order_whose_time_passes_while_it_connects_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = transport._HTTPConnection.connect

    def connect_slowly(self: transport._HTTPConnection) -> None:
        connect(self)
        time.sleep(0.2)

    monkeypatch.setattr(transport._HTTPConnection, "connect", connect_slowly)
    with wire(answer(200, accepted())) as end, pytest.raises(NotSent) as raised:
        broker(end.url).place(PLACEMENT, boottime() + 0.1)
    assert raised.value.code == "LATE"
    assert not any(b"POST" in request for request in end.requests)


def test_a_refusal_in_words_that_no_database_holds_can_be_recorded() -> None:
    refusal = outcome(answer(400, error("InputException", "no\x00margin \ud800")))
    assert (type(refusal), refusal.message) == (Refused, "no?margin ?")


def test_no_error_tells_a_secret() -> None:
    message = f"Invalid token {ACCESS_TOKEN} for {API_KEY}"
    refusal = outcome(answer(403, error("TokenException", message)))
    assert refusal.message == "Invalid token *** for ***"
    with pytest.raises(NotSent) as raised:
        broker(f"http://user:secret-password@127.0.0.1:{free_port()}").place(PLACEMENT, soon())
    assert "secret-password" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "")
    with wire(answer(200, accepted())) as end:
        assert broker(end.url).place(PLACEMENT, soon()) == "151220000000000"


def test_cancelling_asks_for_the_order_by_its_id() -> None:
    with wire(answer(200, accepted())) as end:
        broker(end.url).cancel("151220000000000")
    assert end.requests[0].startswith(b"DELETE /orders/regular/151220000000000 HTTP/1.1")


def test_a_cancellation_that_is_refused_or_lost_says_so() -> None:
    with wire(answer(400, error("OrderException"))) as end, pytest.raises(Refused):
        broker(end.url).cancel("1")
    with wire(reset) as end, pytest.raises(OutcomeUnknown):
        broker(end.url).cancel("1")
