"""Clients that send slowly, send too much, or do not take their answer: they are cut off, others are served."""

import time
from collections.abc import Iterator

import pytest

from gapi_app.guard.fd_limit import make_room
from tests.contract.client import Account, Service, error_of, new_order
from tests.contract.slow import HALF_A_HEAD, IN_CHUNKS, WITHOUT_BODY, answer_of, connected, is_closed
from tests.contract.upstream import Upstream
from tests.support.processes import Processes, wait_until

# What a person would call at once, on a machine that does something else besides.
PROMPT = 5


@pytest.fixture(scope="module")
def hasty(
    services: dict[str, Service], environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A gateway that waits two seconds for a request to arrive."""
    processes = Processes(tmp_path_factory.mktemp("hasty"), environment)
    try:
        child, url = processes.gapi(PULSE_URL=services["pulse"].url, PULSE_REQUEST_TIMEOUT="2")
        yield Service("gapi", url, services["gapi"].key, child.log_path)
    finally:
        processes.close()


def place_promptly(gapi: Service, account: Account, count: int = 5) -> None:
    for _ in range(count):
        assert gapi.send("POST", "/api/orders", account, json=new_order(), timeout=PROMPT).status_code == 202


@pytest.mark.parametrize("sent", [WITHOUT_BODY, IN_CHUNKS], ids=["with-a-length", "in-chunks"])
def test_a_body_that_does_not_come_is_not_waited_for(hasty: Service, sent: bytes) -> None:
    with connected(hasty.url, sent) as (connection,):
        wait_until(lambda: is_closed(connection))
    assert "slow client cut off" in hasty.log.read_text()


def test_a_body_that_trickles_in_is_not_waited_for(hasty: Service) -> None:
    with connected(hasty.url, WITHOUT_BODY) as (connection,):

        def is_cut_off_when_it_sends_on() -> bool:
            try:
                connection.send(b" ")
            except OSError:
                return True
            return is_closed(connection)

        wait_until(is_cut_off_when_it_sends_on)


def test_a_body_behind_an_answered_request_is_not_waited_for_either(processes: Processes, gapi: Service) -> None:
    _child, url = processes.gapi(PULSE_URL=gapi.url, PULSE_REQUEST_TIMEOUT="1", PULSE_STREAM_HEARTBEAT="1")
    with connected(url, b"GET /health HTTP/1.1\r\nHost: gapi\r\n\r\n" + WITHOUT_BODY) as (connection,):
        wait_until(lambda: is_closed(connection))


def test_a_head_that_does_not_come_is_not_waited_for(gapi: Service) -> None:
    with connected(gapi.url, HALF_A_HEAD) as (connection,):
        wait_until(lambda: is_closed(connection))


def test_a_connection_without_a_request_is_closed(gapi: Service) -> None:
    with connected(gapi.url, b"") as (connection,):
        wait_until(lambda: is_closed(connection))


@pytest.mark.parametrize(
    "lines",
    [b"X-Long: " + b"x" * 20_000 + b"\r\n", b"".join(b"X-%d: x\r\n" % number for number in range(150))],
    ids=["long", "many"],
)
def test_a_head_that_is_too_large_is_refused(service: Service, lines: bytes) -> None:
    head = b"GET /health HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n"
    with connected(service.url, head) as (connection,):
        assert answer_of(connection).startswith(b"HTTP/1.1 431 ")


def test_a_path_that_is_too_long_is_refused(service: Service) -> None:
    with connected(service.url, b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n") as (connection,):
        assert answer_of(connection)[:12] in (b"HTTP/1.1 414", b"HTTP/1.1 431")


def test_orders_are_taken_promptly_while_hundreds_of_clients_are_slow(hasty: Service, trader: Account) -> None:
    place_promptly(hasty, trader, 1)
    with connected(hasty.url, WITHOUT_BODY, 100) as senders, connected(hasty.url, HALF_A_HEAD, 100) as half_heads:
        place_promptly(hasty, trader)
        for connection in senders:
            wait_until(lambda connection=connection: is_closed(connection))
        place_promptly(hasty, trader)
        for connection in half_heads:
            wait_until(lambda connection=connection: is_closed(connection))
    place_promptly(hasty, trader)


def test_idle_connections_beyond_a_thousand_keep_nobody_out(gapi: Service, trader: Account) -> None:
    make_room()
    with connected(gapi.url, b"", 1500):
        # A connection of its own, as that of a new client.
        fresh = Service(gapi.name, gapi.url, gapi.key, gapi.log)
        place_promptly(fresh, trader)


def test_one_client_has_so_many_requests_under_way_at_once(
    processes: Processes, services: dict[str, Service], trader: Account
) -> None:
    child, url = processes.gapi(PULSE_URL=services["pulse"].url, PULSE_REQUEST_TIMEOUT="30")
    gapi = Service("gapi", url, services["gapi"].key, child.log_path)
    with connected(url, WITHOUT_BODY, 30) as connections:
        place_promptly(gapi, trader)
        said = [answer_of(connection) for connection in connections]
    refused = [answer for answer in said if answer.startswith(b"HTTP/1.1 429 ")]
    assert refused
    assert all(b"RATE_LIMITED" in answer and b"connection: close" in answer for answer in refused)


def test_who_waits_for_us_is_not_slow(processes: Processes, trader: Account) -> None:
    silent = Upstream()
    try:
        settings = {"PULSE_URL": silent.url, "PULSE_REQUEST_TIMEOUT": "1", "PULSE_ANSWER_TIMEOUT": "6"}
        child, url = processes.gapi(**settings)
        silent.behave = lambda _connection: time.sleep(8)
        answer = Service("gapi", url, processes.environment["PULSE_JWT_KEY"], child.log_path).place(trader)
        assert error_of(answer)[:2] == (504, "UPSTREAM_TIMEOUT")
    finally:
        silent.close()


def test_a_client_that_does_not_take_its_answer_is_cut_off(hasty: Service) -> None:
    request = b"GET /openapi.json HTTP/1.1\r\nHost: gapi\r\n\r\n"
    with connected(hasty.url, b"", receive_buffer=4096) as (connection,):
        connection.setblocking(False)

        def is_cut_off_when_it_asks_on() -> bool:
            try:
                connection.send(request * 10)
            except BlockingIOError:
                return False
            except OSError:
                return True
            return False

        wait_until(is_cut_off_when_it_asks_on)
