"""What an attacker writes into requests: refused in our words, never a 5xx, and nowhere taken for what it is not."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

import gapi_app
from api_contract.scopes import Role
from tests.contract.client import Account, Service, error_of, new_order, resolved

FOREIGN = ("account_id", "role", "status", "filled_quantity", "is_active", "generation", "order_id", "__proto__")
LINES = "x\r\nInjected: yes\r\n\r\nHTTP/1.1 200 OK"
NOISE = ["x\ninjected line", "x\r\ninjected line", "\x1b[2J\x1b[31mred", "\u2028injected line", "%s%n{0}", "x" * 60_000]


def raw(service: Service, sent: bytes) -> list[bytes]:
    """The status lines of all answers to these bytes, and what follows each."""
    where = urlsplit(service.url)
    said = b""
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(sent)
        while part := connection.recv(65_536):
            said += part
    return [b"HTTP/1.1 " + one for one in said.split(b"HTTP/1.1 ")[1:]]


def head(service: Service, account: Account, path: str = "", *lines: str, method: str = "GET") -> bytes:
    token = service.token(account, method, path or service.orders)
    start = [f"{method} {path or service.orders} HTTP/1.1", "Host: pulse", "Connection: close"]
    return "\r\n".join([*start, f"Authorization: Bearer {token}", *lines, "", ""]).encode("latin-1")


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def bodies() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each operation of the gateway that takes an object of known fields, with an example of it."""
    specification = gapi_app.openapi()
    for path, methods in specification["paths"].items():
        for method, operation in methods.items():
            body = "requestBody" in operation and operation["requestBody"]["content"].get("application/json")
            if body and "/internal/" not in path and "/postbacks/" not in path:
                yield method.upper(), path, example_of(specification, body)


def who_may(path: str) -> Role:
    """The least role of the operation at a path."""
    if "/admin/" in path or path == "/api/broker-accounts":
        return Role.ADMIN
    is_operators = any(part in path for part in ("/settle", "/alarms/", "/broker-accounts/", "/instrument-loads"))
    return Role.OPERATOR if is_operators else Role.TRADER


def example_of(specification: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    if "examples" in body:
        found: dict[str, Any] = next(iter(body["examples"].values()))["value"]
        return found
    return dict(body.get("example") or resolved(specification, body["schema"]).get("example") or {})


@pytest.mark.parametrize(
    ("method", "path", "example"), [pytest.param(*one, id=f"{one[0]} {one[1]}") for one in bodies()]
)
def test_no_body_sets_what_is_not_its_own(
    gapi: Service, new_account: Callable[..., Account], method: str, path: str, example: dict[str, Any]
) -> None:
    account = new_account(who_may(path))
    path = path.replace("{account_id}", account.account_id)
    headers = {"If-Match": "*"} if method == "PATCH" else {}
    of_others = {"role", "is_active"} if "/admin/" in path else {"account_id"} if path == "/api/halt" else set()
    for name in set(FOREIGN) - example.keys() - of_others:
        changed = example | {name: "acc_01J00000000000000000000000"}
        answer = gapi.send(method, path, account, json=changed, headers=headers)
        status, code, details = error_of(answer)
        assert (status, code, details["field"]) == (400, "INVALID_REQUEST", name)


@pytest.mark.parametrize("name", FOREIGN)
def test_no_order_sets_what_is_not_its_own(service: Service, trader: Account, name: str) -> None:
    for body in (new_order(), new_order()):
        body["split_config"] |= {name: 1}
        assert error_of(service.send("POST", service.orders, trader, json=body))[2]["field"] == f"split_config.{name}"
        assert error_of(service.place(trader, **{name: 1}))[2]["field"] == name


@pytest.mark.parametrize("where", ["path", "query", "key", "match", "id", "last-event"])
def test_no_text_of_a_client_becomes_a_header(service: Service, trader: Account, where: str) -> None:
    quoted = "x%0d%0aInjected:%20yes"
    sent = {
        "path": lambda: service.send("GET", f"{service.orders}/{quoted}", trader),
        "query": lambda: service.send("GET", f"{service.orders}?cursor={quoted}", trader),
        "key": lambda: service.place(trader, order_unique_key=LINES),
        "match": lambda: service.send("GET", service.orders, trader, headers={"If-None-Match": f'"{quoted}"'}),
        "id": lambda: service.send("GET", service.orders, trader, headers={"X-Request-Id": quoted}),
        "last-event": lambda: service.send("GET", service.orders, trader, headers={"Last-Event-ID": quoted}),
    }[where]()
    assert sent.status_code < 500
    assert "Injected" not in sent.headers
    assert not [value for value in sent.headers.values() if "njected" in value]


def test_a_foreign_host_is_never_repeated(gapi: Service, trader: Account) -> None:
    for path in ("/docs/", "/docs", "/api/orders", "/nowhere"):
        answer = gapi.send(
            "GET", path, trader, headers={"Host": "evil.example.com", "X-Forwarded-Host": "evil.example"}
        )
        assert "evil" not in str(answer.headers)
        assert "evil" not in answer.text
    answer = gapi.send("POST", "/api/orders", trader, headers={"Host": "evil.example.com"}, json=new_order())
    assert answer.headers["Location"].startswith("/api/orders/")


@pytest.mark.parametrize("noise", NOISE, ids=range(len(NOISE)))
def test_no_text_of_a_client_becomes_a_line_of_the_log(
    services: dict[str, Service], gapi: Service, trader: Account, noise: str
) -> None:
    before = {name: one.log.stat().st_size for name, one in services.items()}
    ascii_noise = noise.encode("ascii", "replace").decode()
    gapi.send("POST", "/api/auth/login", json={"username": noise, "password": noise})
    gapi.send("POST", "/api/auth/refresh", json={"refresh_token": noise})
    gapi.place(trader, order_unique_key=noise)
    gapi.place(trader, instrument=f"NSE:{noise}")
    for path in (f"/api/orders/{noise[:2000]}", f"/{noise[:2000]}", f"/api/orders?status={noise[:2000]}"):
        gapi.send("GET", path.replace("\n", "%0a").replace("\r", "%0d").replace("\x1b", "%1b"), trader)
    short = ascii_noise.translate({10: "%0a", 13: "%0d", 27: "%1b"})[:4000]
    sent = dict.fromkeys(("X-Request-Id", "X-Trace-Id", "traceparent", "User-Agent", "X-Forwarded-For"), short[:1500])
    gapi.send("GET", "/api/orders", trader, headers=sent)
    gapi.send("GET", "/api/orders", headers={"Authorization": f"Bearer {short}"})

    for name, one in services.items():
        with one.log.open("rb") as log:
            log.seek(before[name])
            for line in log.read().decode().splitlines():
                assert json.loads(line)["event"]
                assert len(line) < 2000
                assert "\x1b" not in line


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Authorization: Bearer other"], {401}),
        (["Content-Length: 2", "Content-Length: 3"], {400}),
        (["Content-Length: 2", "Transfer-Encoding: chunked"], {200, 400}),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], {400}),
        (["Content-Length: -1"], {400}),
        (["Content-Length: 2, 2"], {200, 400}),
        (["Content-Length: 99999999999999999999999"], {400, 413}),
        (["Host: other"], {200, 400}),
        (["X-Request-Id: one", "X-Request-Id: two"], {200}),
        (["If-None-Match: *", "If-None-Match: *"], {200, 304}),
        (["Bad Name: x"], {400}),
        (["X-Null: a\x00b"], {400}),
        (["X-Folded: a", " b"], {200, 400}),
        (["Expect: 100-continue"], {200}),
        (["Expect: surprise"], {200, 417}),
        (["Upgrade: h2c", "Connection: Upgrade"], {200, 400}),
    ],
    ids=range(16),
)
def test_headers_that_contradict_each_other_are_never_two_requests(
    service: Service, trader: Account, lines: list[str], expected: set[int]
) -> None:
    answers = [
        one for one in raw(service, head(service, trader, "", *lines) + b"0\r\n\r\n") if b" 100 " not in one[:14]
    ]
    assert len(answers) <= 2
    assert status_of(answers[0]) in expected
    assert all(status_of(answer) == 400 for answer in answers[1:])


@pytest.mark.parametrize(
    "path",
    [
        "/%2e%2e/%2e%2e/etc/passwd", "/api/%2e%2e/health", "/api/orders/%2e%2e", "/api/orders/..%2f..%2fhealth",
        "/api/orders%00", "/api/orders/%00", "/api//orders", "//api/orders", "/api/orders//", "/API/ORDERS",
        "/api/orders/%ff", "/api/orders/%", "/api/orders/%zz", "/api/orders;a=b", "/api/orders%2f", "/api/orders%20",
        "/internal/../api/orders", "/api/orders/./x", "/docs/%2e%2e/swagger-ui.css", "/docs/..%5c..%5csetup.cfg",
        "/api/orders/" + "x" * 7000, "/" + "%41" * 2000, "/nowhere?" + "a=1&" * 1500, "/docs/swagger-ui.css%00.html",
    ],
)  # fmt: skip
def test_no_path_leads_around_the_routes(gapi: Service, trader: Account, path: str) -> None:
    (answer,) = raw(gapi, head(gapi, trader, path))
    # As it is, or 405 where a route of another method fits what was decoded.
    assert status_of(answer) in (400, 401, 404, 405)
    if status_of(answer) != 400:
        assert b'{"error":{"code":' in answer


@pytest.mark.parametrize(
    ("plain", "spelled"),
    [
        ("/health", "/%68ealth"),
        ("/metrics", "/%6Detrics"),
        ("/nowhere", "/no%77here"),
        ("/api/orders", "/%61%70%69/orders"),
        ("/api/orders", "/api%2forders"),
        ("/api/orders", "/api%2Forders?limit=1"),
        ("/api/admin/users", "/api/%61dmin/users"),
        ("/api/postbacks/zerodha", "/api/postbacks%2fzerodha"),
        ("/internal/tokens/introspect", "/%69nternal/tokens/introspect"),
    ],
)
def test_a_path_has_the_rights_and_limits_of_what_it_is_decoded_to(
    gapi: Service, trader: Account, plain: str, spelled: str
) -> None:
    """The server hands on the decoded path alone, so nothing can be decided by the other one."""
    (first,), (second,) = (raw(gapi, head(gapi, trader, path)) for path in (plain, spelled))
    assert status_of(second) == status_of(first)
    limits = [dict(re.findall(rb"(?i)(ratelimit-[a-z]+): (\d+)", answer)) for answer in (first, second)]
    first_limits, second_limits = ({name.lower(): int(value) for name, value in one.items()} for one in limits)
    assert second_limits.keys() == first_limits.keys()
    if first_limits and second_limits[b"ratelimit-reset"] <= first_limits[b"ratelimit-reset"]:
        assert second_limits[b"ratelimit-limit"] == first_limits[b"ratelimit-limit"]
        assert second_limits[b"ratelimit-remaining"] == first_limits[b"ratelimit-remaining"] - 1


@pytest.mark.parametrize("target", ["http://evil.example.com/api/orders", "*", "evil.example.com:443"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "CONNECT"])
def test_a_target_that_is_no_path_is_not_followed(gapi: Service, trader: Account, target: str, method: str) -> None:
    answers = raw(gapi, head(gapi, trader, target, method=method))
    assert all(status_of(answer) < 500 and b"evil" not in answer for answer in answers)
    assert gapi.send("GET", "/health").status_code == 200


@pytest.mark.parametrize("query", ["limit=1&limit=2", "limit=1&limit=1", "status=DONE&status=DONE", "limit=1&LIMIT=2"])
def test_a_query_says_each_thing_once(service: Service, trader: Account, query: str) -> None:
    assert error_of(service.send("GET", f"{service.orders}?{query}", trader))[:2] == (400, "INVALID_REQUEST")


def test_a_body_in_endless_chunks_is_measured(gapi: Service, trader: Account) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    lines = ["Content-Type: application/json", "Transfer-Encoding: chunked"]
    sent = head(gapi, trader, "", *lines, method="POST") + chunk * 20 + b"0\r\n\r\n"
    try:
        answers = raw(gapi, sent)
    except ConnectionError:
        # It was answered, and closed, before all of it was sent.
        answers = []
    assert all(status_of(answer) == 413 for answer in answers)
    assert gapi.place(trader).status_code == 202
