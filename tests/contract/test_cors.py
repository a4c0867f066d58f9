"""Which other sites' pages a browser lets call the gateway."""

from collections.abc import Iterator

import pytest
import requests

from tests.contract.client import Account, Service
from tests.support.processes import Processes

DESK, LOCAL, FOREIGN = "https://desk.example.com", "http://localhost:3000", "https://evil.example.com"
READABLE = {
    "X-Request-Id", "X-Trace-Id", "Location", "Link", "ETag", "Retry-After", "Idempotent-Replayed", "Pulse-Cell",
    "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset",
}  # fmt: skip


@pytest.fixture(scope="module")
def open_gapi(
    services: dict[str, Service], environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    processes = Processes(tmp_path_factory.mktemp("cors"), environment)
    try:
        child, url = processes.gapi(PULSE_URL=services["pulse"].url, PULSE_CORS_ORIGINS=f"{DESK},{LOCAL}")
        yield Service("gapi", url, services["gapi"].key, child.log_path)
    finally:
        processes.close()


def preflight(gapi: Service, origin: str, path: str = "/api/orders") -> requests.Response:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}
    return gapi.send("OPTIONS", path, headers={"Origin": origin} | asked)


def cors_headers(answer: requests.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower().startswith("access-control-")}


def listed(value: str) -> set[str]:
    return {name.strip() for name in value.split(",")}


@pytest.mark.parametrize("origin", [DESK, LOCAL])
def test_a_page_of_a_named_origin_may_place_orders(open_gapi: Service, trader: Account, origin: str) -> None:
    asked = preflight(open_gapi, origin)
    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == origin
    assert {"POST", "PATCH", "DELETE"} <= listed(asked.headers["Access-Control-Allow-Methods"])
    assert {"authorization", "content-type"} <= listed(asked.headers["Access-Control-Allow-Headers"].lower())
    assert int(asked.headers["Access-Control-Max-Age"]) > 0

    answer = open_gapi.send("GET", "/api/orders", trader, headers={"Origin": origin})
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert listed(answer.headers["Access-Control-Expose-Headers"]) == READABLE
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_page_can_read_why_it_was_refused(open_gapi: Service) -> None:
    for method, path in (("GET", "/api/orders"), ("GET", "/api/nowhere"), ("PUT", "/api/orders")):
        answer = open_gapi.send(method, path, headers={"Origin": DESK})
        assert answer.status_code >= 400
        assert answer.headers["Access-Control-Allow-Origin"] == DESK


@pytest.mark.parametrize(
    "origin",
    [
        FOREIGN, "null", "", "*", DESK.upper(), f"{DESK}.evil.example.com", f"{DESK}:444", f"{DESK}/",
        "http://desk.example.com", "https://deskXexample.com", "https://desk.example.comx", f"x{DESK}",
        f"{DESK} {LOCAL}",
    ],
)  # fmt: skip
def test_a_page_of_another_origin_may_nothing(open_gapi: Service, trader: Account, origin: str) -> None:
    assert cors_headers(preflight(open_gapi, origin)) == {}
    assert cors_headers(open_gapi.send("GET", "/api/orders", trader, headers={"Origin": origin})) == {}


@pytest.mark.parametrize("path", ["/internal/tokens/introspect", "/health", "/nowhere"])
def test_what_is_not_the_api_is_open_to_no_page(open_gapi: Service, path: str) -> None:
    assert cors_headers(preflight(open_gapi, DESK, path)) == {}


def test_without_the_setting_no_page_may_anything(gapi: Service, trader: Account) -> None:
    assert cors_headers(preflight(gapi, DESK)) == {}
    assert cors_headers(gapi.send("GET", "/api/orders", trader, headers={"Origin": DESK})) == {}
