"""Bodies that no client of good will sends: a 4xx with a code, never a 5xx."""

import json
import random
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.contract.client import Account, Service, error_of, new_order

JSON = {"Content-Type": "application/json"}
LIMIT = 64 * 1024


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"9" * 400,
        b'{"total_quantity": ' + b"9" * 400 + b"}",
        b'{"total_quantity": -' + b"9" * 5_000 + b"}",
        b'{"total_quantity": 1e400}',
        b'{"total_quantity": NaN}',
        b'{"total_quantity": -Infinity}',
        b'{"side": "BUY", "side": "SELL"}',
        b'{"split_config": {"num_splits": 2, "num_splits": 3}}',
        b'{"order_unique_key": "\\u0000"}',
        b'{"order_unique_key": "\\ud800"}',
        b'{"\\ud800\\u0000": 1}',
        b'{"order_unique_key": "\xff\xfe"}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"\x00",
        b"{} {}",
        b"{'side': 'BUY'}",
        b'{"a": "' + b"x" * 60_000 + b'"}',
        b'{"' + b"k" * 60_000 + b'": 1}',
    ],
    ids=range(27),
)  # fmt: skip
def test_a_hostile_body_is_an_invalid_request(service: Service, trader: Account, body: bytes) -> None:
    status, code, details = error_of(service.send("POST", service.orders, trader, headers=JSON, data=body))
    assert (status, code) == (400, "INVALID_REQUEST")
    assert details.keys() & {"field", "fields", "rule"}


@pytest.mark.parametrize("field", ["order_unique_key", "instrument", "side"])
@pytest.mark.parametrize("value", ["\x00", "a\x00b", "\ud800", "\U0001f600"])
def test_no_text_that_postgres_cannot_hold_reaches_it(
    service: Service, trader: Account, field: str, value: str
) -> None:
    body = json.dumps(new_order(**{field: value}))
    assert service.send("POST", service.orders, trader, headers=JSON, data=body).status_code == 400


def test_random_bytes_never_hurt(service: Service, trader: Account) -> None:
    chance = random.Random(7)
    for _ in range(100):
        body = chance.randbytes(chance.randrange(200))
        assert service.send("POST", service.orders, trader, headers=JSON, data=body).status_code == 400


def test_a_damaged_order_never_hurts(service: Service, trader: Account) -> None:
    chance = random.Random(11)
    for _ in range(150):
        body = bytearray(json.dumps(new_order()).encode())
        for _ in range(chance.randrange(1, 4)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        answer = service.send("POST", service.orders, trader, headers=JSON, data=bytes(body))
        assert answer.status_code < 500


def test_a_body_of_64_kib_is_read_and_a_byte_more_is_not(service: Service, trader: Account) -> None:
    body = json.dumps(new_order()).encode()
    full = body + b" " * (LIMIT - len(body))
    assert service.send("POST", service.orders, trader, headers=JSON, data=full).status_code in (201, 202)
    answer = service.send("POST", service.orders, trader, headers=JSON, data=full + b" ")
    assert error_of(answer)[:2] == (413, "PAYLOAD_TOO_LARGE")


def test_a_body_without_a_length_is_measured_too(service: Service, trader: Account) -> None:
    def chunks(size: int) -> Iterator[bytes]:
        body = json.dumps(new_order()).encode()
        yield body
        yield from (b" " * 1024 for _ in range((size - len(body)) // 1024))

    assert service.send("POST", service.orders, trader, headers=JSON, data=chunks(LIMIT)).status_code in (201, 202)
    answer = service.send("POST", service.orders, trader, headers=JSON, data=chunks(2 * LIMIT))
    assert error_of(answer)[:2] == (413, "PAYLOAD_TOO_LARGE")


def test_a_large_body_is_refused_where_none_is_read(service: Service, trader: Account) -> None:
    answer = service.send("DELETE", f"{service.orders}/x", trader, data=b"x" * (LIMIT + 1))
    assert error_of(answer)[:2] == (413, "PAYLOAD_TOO_LARGE")


def test_a_compressed_body_is_not_read(service: Service, trader: Account) -> None:
    headers = JSON | {"Content-Encoding": "gzip"}
    assert error_of(service.send("POST", service.orders, trader, headers=headers, data=b"x"))[0] == 415


@pytest.mark.parametrize(
    "request_line", [b"GET /health HTTP/9.9", b"GET  HTTP/1.1", b"\x00\x01\x02", b"GET /\xff HTTP/1.1"]
)
def test_what_is_not_http_leaves_the_service_alive(service: Service, request_line: bytes) -> None:
    where = urlsplit(service.url)
    with socket.create_connection((where.hostname, where.port), timeout=5) as connection:
        connection.sendall(request_line + b"\r\nHost: x\r\nContent-Length: -1\r\n\r\n")
        connection.recv(1024)
    assert service.send("GET", "/health").status_code == 200
