"""How many requests the gateway answers: by account, by address, whatever Redis does."""

import os
import re
import secrets
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from gapi_app.guard.limits import network_of
from tests.contract.client import Account, Service, error_of, new_order
from tests.support import servers
from tests.support.processes import wait_until
from tests.support.servers import RunningRedis

HOUR = {"PULSE_RATE_LIMIT_ACCOUNT": "5/hour", "PULSE_RATE_LIMIT_ORDERS": "3/hour", "PULSE_RATE_LIMIT_ADDRESS": "4/hour"}
LOGIN = {"username": "nobody", "password": "wrong"}

Start = Callable[..., Service]


@pytest.fixture
def start(start_gapi: Start) -> Start:
    """Starts a gateway with limits, one hour long."""
    return lambda **settings: start_gapi(**HOUR | settings)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RunningRedis]:
    with servers.running_redis(tmp_path) as running:
        yield running


def from_address(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


def some_address() -> str:
    return f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


def left(answer: requests.Response) -> tuple[int, int, int]:
    names = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
    limit, remaining, reset = (int(answer.headers[name]) for name in names)
    return limit, remaining, reset


def said(gapi: Service, what: str) -> bool:
    return what in gapi.log.read_text()


def use_up(gapi: Service, account: Account, most: int = 50) -> int:
    """Ask until it is refused; how often that was answered."""
    for answered in range(most):
        if gapi.send("GET", "/api/orders", account).status_code == 429:
            return answered
    return most


def test_an_account_is_refused_beyond_its_limit_and_told_when_to_come_back(start: Start, trader: Account) -> None:
    gapi = start()
    answers = [gapi.send("GET", "/api/orders", trader) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [left(answer)[:2] for answer in answers] == [(5, 4), (5, 3), (5, 2), (5, 1), (5, 0), (5, 0)]
    assert all(0 < left(answer)[2] <= 3600 for answer in answers)
    status, code, details = error_of(answers[-1])
    assert (status, code, details["limit"], details["window_seconds"]) == (429, "RATE_LIMITED", 5, 3600)
    assert answers[-1].headers["Retry-After"] == str(details["retry_after_seconds"])


def test_one_account_takes_nothing_from_another(
    start: Start, trader: Account, new_account: Callable[..., Account]
) -> None:
    gapi = start()
    use_up(gapi, trader)
    assert gapi.send("GET", "/api/orders", new_account()).status_code == 200


def test_new_orders_are_counted_apart(start: Start, trader: Account) -> None:
    gapi = start()
    answers = [gapi.place(trader) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert gapi.send("GET", "/api/orders", trader).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("POST", "/api/auth/login", {"json": LOGIN}),
        ("GET", "/api/orders", {"headers": {"Authorization": "Bearer wrong"}}),
        ("GET", "/nowhere", {}),
        ("PUT", "/api/orders", {}),
    ],
    ids=["login", "bad-token", "unknown-path", "wrong-method"],
)
def test_an_address_is_refused_without_a_good_token_only(
    start: Start, trader: Account, method: str, path: str, options: dict[str, dict[str, str]]
) -> None:
    gapi, address = start(), from_address(some_address())
    headers = options.get("headers", {}) | address
    answers = [gapi.send(method, path, **options | {"headers": headers}) for _ in range(5)]

    assert [answer.status_code == 429 for answer in answers] == [False] * 4 + [True]
    assert error_of(answers[-1])[1] == "RATE_LIMITED"
    assert gapi.send("GET", "/api/orders", trader, headers=address).status_code == 200
    assert gapi.send(method, path, **options | {"headers": headers | from_address(some_address())}).status_code != 429


@pytest.mark.parametrize("path", ["/health", "/.well-known/jwks.json"])
def test_what_watches_the_gateway_is_never_refused(start: Start, path: str) -> None:
    gapi, address = start(), from_address(some_address())
    while gapi.send("GET", "/nowhere", headers=address).status_code != 429:
        pass
    answers = [gapi.send("GET", path, headers=address) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 6
    assert "RateLimit-Limit" not in answers[0].headers


def test_nothing_is_limited_that_is_off(start: Start, trader: Account) -> None:
    gapi = start(PULSE_RATE_LIMIT_ACCOUNT="off")
    assert use_up(gapi, trader, most=20) == 20
    assert "RateLimit-Limit" not in gapi.send("GET", "/api/orders", trader).headers


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("_hidden", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_ipv6_network_is_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


def test_gateways_that_share_a_redis_share_the_count(start: Start, trader: Account, own_redis: RunningRedis) -> None:
    first, second = (start(PULSE_LIMITS_REDIS_URL=own_redis.url) for _ in range(2))
    use_up(first, trader)
    # What one has counted, the other learns soon after it has been asked.
    wait_until(lambda: second.send("GET", "/api/orders", trader).status_code == 429)


def test_a_gateway_that_starts_again_goes_on_counting(start: Start, trader: Account, own_redis: RunningRedis) -> None:
    first = start(PULSE_LIMITS_REDIS_URL=own_redis.url, PULSE_RATE_LIMIT_ACCOUNT="1000/hour")
    for _ in range(10):
        first.send("GET", "/api/orders", trader)
    second = start(PULSE_LIMITS_REDIS_URL=own_redis.url, PULSE_RATE_LIMIT_ACCOUNT="1000/hour")
    wait_until(lambda: left(second.send("GET", "/api/orders", trader))[1] < 990 - 1)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_lost_redis_costs_no_request_and_no_limit(
    start: Start, own_redis: RunningRedis, new_account: Callable[..., Account], fault: signal.Signals
) -> None:
    gapi = start(PULSE_LIMITS_REDIS_URL=own_redis.url)
    before, during, after = new_account(), new_account(), new_account()
    assert use_up(gapi, before) == 5
    pid = own_redis.child.pid
    assert pid is not None
    os.kill(pid, fault)
    try:
        wait_until(lambda: said(gapi, "limits are counted for this gateway alone"))
        assert use_up(gapi, during) == 5
        assert gapi.send("GET", "/api/orders", before).status_code == 429
    finally:
        if fault is signal.SIGSTOP:
            os.kill(pid, signal.SIGCONT)
    if fault is signal.SIGKILL:
        own_redis.stop()
        own_redis.start()
    wait_until(lambda: said(gapi, "limits are shared again"))
    assert use_up(gapi, after) == 5
    assert gapi.send("GET", "/api/orders", before).status_code == 429


def test_what_gateways_count_without_their_redis_is_added_up_once_it_is_back(
    start: Start, trader: Account, own_redis: RunningRedis
) -> None:
    gateways = [start(PULSE_LIMITS_REDIS_URL=own_redis.url) for _ in range(2)]
    own_redis.stop()
    wait_until(lambda: all(alone(one) == 1 for one in gateways))
    for times, gapi in zip((3, 2), gateways, strict=True):
        answers = [gapi.send("GET", "/api/orders", trader) for _ in range(times)]
        assert [left(answer)[1] for answer in answers] == [4, 3, 2][:times]
        login = {"username": trader.username, "password": trader.password}
        assert gapi.send("POST", "/api/auth/login", json=login).status_code == 200
        assert gapi.place(trader).status_code == 202
        assert gapi.send("GET", "/ready").status_code == 200

    own_redis.start()
    wait_until(lambda: all(alone(one) == 0 for one in gateways))
    # The first of them told its count before it could know of the other's.
    wait_until(lambda: all(one.send("GET", "/api/orders", trader).status_code == 429 for one in gateways))
    assert gateways[0].send("GET", "/api/orders", trader).status_code == 429


def alone(gapi: Service) -> float:
    [told] = re.findall(r"^gapi_limits_alone (\S+)$", gapi.send("GET", "/metrics").text, re.MULTILINE)
    return float(told)


def test_a_redis_that_is_not_there_at_the_start_is_no_hindrance(start: Start, trader: Account) -> None:
    gapi = start(PULSE_LIMITS_REDIS_URL="redis://127.0.0.1:9/0")
    assert gapi.send("POST", "/api/orders", trader, json=new_order()).status_code == 202
    assert use_up(gapi, trader) == 5
