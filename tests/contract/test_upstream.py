"""The gateway before a pulse that is away, hangs, or answers nonsense: it never invents an answer."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pulse_ops.stack.ports import free_port
from tests.contract.client import Account, Service, error_of, new_order
from tests.contract.upstream import Upstream, answering, sending
from tests.support.processes import Processes, wait_until

ORDER_ID = "ord_01J00000000000000000000000"
# The contract's promise when pulse is down or hangs.
WITHIN = 5.0


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    listening = Upstream()
    yield listening
    listening.close()


@pytest.fixture(scope="module")
def lonely_gapi(
    environment: dict[str, str], upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    processes = Processes(tmp_path_factory.mktemp("lonely"), environment)
    try:
        child, url = processes.gapi(PULSE_URL=upstream.url)
        yield Service("gapi", url, environment["PULSE_JWT_KEY"], child.log_path)
    finally:
        processes.close()


def refusal(code: str, **details: Any) -> bytes:
    return json.dumps({"error": {"code": code, "message": "no", "details": details}}).encode()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (201, b""),
        (201, b"created"),
        (201, b"[]"),
        (201, b"{}"),
        (201, b"{" * 70_000),
        (201, b'{"order_id": "../..", "order_unique_key": "k"}'),
        (201, json.dumps({"order_id": ORDER_ID, "order_unique_key": "another"}).encode()),
        (202, json.dumps({"order_id": ORDER_ID, "order_unique_key": "k"}).encode()),
        (204, b""),
        (302, b"{}"),
        (400, b"<html>"),
        (400, b'{"error": "text"}'),
        (400, b'{"error": {"code": 7, "message": "x", "details": {}}}'),
        (401, refusal("UNAUTHORIZED")),
        (404, b'{"detail": "not found"}'),
        (415, refusal("UNSUPPORTED_MEDIA_TYPE")),
        (500, refusal("DATABASE_ERROR")),
        (502, b"bad gateway"),
        (418, refusal("TEAPOT")),
    ],
)
def test_nonsense_of_pulse_is_an_upstream_error(
    lonely_gapi: Service, upstream: Upstream, trader: Account, status: int, body: bytes
) -> None:
    upstream.behave = answering(status, body, "Location: http://127.0.0.1:1/")
    assert error_of(lonely_gapi.place(trader, order_unique_key="k")) == (502, "UPSTREAM_ERROR", {})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff" * 50,
        b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_a_broken_answer_is_an_upstream_error(
    lonely_gapi: Service, upstream: Upstream, trader: Account, data: bytes
) -> None:
    upstream.behave = sending(data)
    assert error_of(lonely_gapi.place(trader))[:2] == (502, "UPSTREAM_ERROR")


@pytest.mark.parametrize(
    ("status", "code", "details"),
    [
        (400, "INVALID_QUANTITY", {"field": "total_quantity", "total_quantity": 3, "num_splits": 5, "min": 5}),
        (403, "FORBIDDEN", {"needed": "orders:write"}),
        (
            409,
            "DUPLICATE_ORDER_UNIQUE_KEY",
            {
                "field": "order_unique_key",
                "order_unique_key": "k",
                "existing_order_id": f"ord_{'0' * 26}",
                "differs": ["side"],
            },
        ),
    ],
)
def test_a_refusal_of_pulse_is_passed_on(
    lonely_gapi: Service, upstream: Upstream, trader: Account, status: int, code: str, details: dict[str, Any]
) -> None:
    upstream.behave = answering(status, refusal(code, **details))
    assert error_of(lonely_gapi.place(trader)) == (status, code, details)


def test_a_pulse_without_its_database_is_unavailable(lonely_gapi: Service, upstream: Upstream, trader: Account) -> None:
    upstream.behave = answering(503, refusal("SERVICE_UNAVAILABLE", missing=["postgres"]))
    assert error_of(lonely_gapi.place(trader)) == (503, "SERVICE_UNAVAILABLE", {"missing": ["postgres"]})
    is_away = (503, "SERVICE_UNAVAILABLE", {"missing": ["postgres"]})
    wait_until(lambda: error_of(lonely_gapi.send("GET", "/ready")) == is_away)


def _hang(connection: socket.socket) -> None:
    connection.recv(1)


def _trickle(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        threading.Event().wait(0.2)


@pytest.mark.parametrize("behave", [_hang, _trickle])
def test_a_pulse_that_hangs_is_given_up_in_time(
    lonely_gapi: Service, upstream: Upstream, trader: Account, behave: Callable[[socket.socket], None]
) -> None:
    upstream.behave = behave
    sent = len(upstream.requests)
    answer = lonely_gapi.send("POST", "/api/orders", trader, json=new_order(), timeout=WITHIN)
    assert error_of(answer)[:2] == (504, "UPSTREAM_TIMEOUT")
    assert len(upstream.requests) == sent + 1, "an order is never sent twice by the gateway"


def test_a_pulse_that_is_away_is_unavailable(
    environment: dict[str, str], processes: Processes, trader: Account
) -> None:
    child, url = processes.gapi(PULSE_URL=f"http://127.0.0.1:{free_port()}")
    gapi = Service("gapi", url, environment["PULSE_JWT_KEY"], child.log_path)
    login = {"username": "x", "password": "y"}
    for answer in (
        gapi.send("POST", "/api/orders", trader, json=new_order(), timeout=WITHIN),
        gapi.send("GET", "/api/orders", trader, timeout=WITHIN),
        gapi.send("POST", "/api/auth/login", json=login, timeout=WITHIN),
        gapi.send("GET", "/ready", timeout=WITHIN),
    ):
        assert error_of(answer) == (503, "SERVICE_UNAVAILABLE", {"missing": ["pulse"]})
    assert gapi.send("GET", "/health").status_code == 200


def test_a_faulty_order_is_refused_without_asking_pulse(
    lonely_gapi: Service, upstream: Upstream, trader: Account
) -> None:
    sent = len(upstream.requests)
    assert error_of(lonely_gapi.place(trader, total_quantity=0))[:2] == (400, "INVALID_QUANTITY")
    assert len(upstream.requests) == sent


@pytest.mark.parametrize("path", ["", f"/{ORDER_ID}", f"/{ORDER_ID}/slices"])
def test_an_empty_answer_is_not_shown_as_one(
    lonely_gapi: Service, upstream: Upstream, trader: Account, path: str
) -> None:
    upstream.behave = answering(200, b"{}")
    assert error_of(lonely_gapi.send("GET", f"/api/orders{path}", trader))[:2] == (502, "UPSTREAM_ERROR")


def test_the_trace_goes_to_pulse_and_the_users_token_does_not(
    lonely_gapi: Service, upstream: Upstream, trader: Account
) -> None:
    upstream.behave = answering(200, b'{"orders": [], "next_cursor": null, "last_event_id": 0}')
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    ids = {"X-Request-Id": "r-1", "X-Trace-Id": "t-1", "traceparent": traceparent}
    lonely_gapi.send("GET", "/api/orders?limit=7", trader, headers=ids)
    head = upstream.requests[-1].decode()
    assert head.startswith("GET /internal/orders?sort=-created_at&limit=7 ")
    for name, value in [*ids.items()][:2]:
        assert f"{name}: {value}\r\n" in head
    assert f"traceparent: {traceparent[:36]}" in head
    assert traceparent not in head, "the step of the gateway has an id of its own"
    assert lonely_gapi.token(trader).split(".")[1] not in head


def test_a_broken_traceparent_is_not_handed_on(lonely_gapi: Service, upstream: Upstream, trader: Account) -> None:
    upstream.behave = answering(200, b'{"orders": [], "next_cursor": null, "last_event_id": 0}')
    lonely_gapi.send("GET", "/api/orders", trader, headers={"traceparent": "00-0-0-00"})
    head = upstream.requests[-1].decode()
    assert "00-0-0-00" not in head
    assert re.search(r"traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\n", head), "a trace of its own begins"
