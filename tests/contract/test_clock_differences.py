"""A gateway whose clock differs from pulse's: it goes by pulse's, which every answer tells."""

import json
import time
from collections.abc import Callable

import jwt
import pytest

from pulse_core.clock import utcnow
from tests.contract.client import Account, Service, error_of
from tests.contract.upstream import Upstream, answering

CLOCK = {"error": {"code": "UNAUTHORIZED", "message": "60 s early", "details": {"clock_off_seconds": 60}}}
EMPTY = b'{"orders": [], "next_cursor": null, "last_event_id": 0}'


@pytest.mark.parametrize("seconds", [-4, -1, -0.1, 0.1, 1, 4])
def test_a_service_token_of_a_clock_that_is_a_little_off_is_never_refused(
    pulse: Service, trader: Account, seconds: float
) -> None:
    for _ in range(10):
        made = int(time.time() + seconds)
        token = pulse.token(trader, iat=made, exp=made + 30)
        assert pulse.send("GET", pulse.orders, headers=pulse.bearer(token)).status_code == 200
        time.sleep(0.05)


@pytest.mark.parametrize("seconds", [-60, 60])
def test_one_that_is_far_off_is_refused_by_naming_the_clock_and_told_the_time(
    pulse: Service, trader: Account, seconds: int
) -> None:
    made = int(time.time()) + seconds
    answer = pulse.send("GET", pulse.orders, headers=pulse.bearer(pulse.token(trader, iat=made, exp=made + 30)))
    assert error_of(answer)[:2] == (401, "UNAUTHORIZED")
    assert error_of(answer)[2]["clock_off_seconds"] == pytest.approx(seconds if seconds > 0 else seconds + 30, abs=1)
    assert "clock" in answer.json()["error"]["message"]
    assert abs(int(answer.headers["Pulse-Time"]) / 1000 - utcnow().timestamp()) < 1


def test_every_answer_of_pulse_tells_the_time(pulse: Service, trader: Account) -> None:
    for method, path in (("GET", pulse.orders), ("GET", "/nowhere"), ("GET", "/health"), ("PUT", pulse.orders)):
        told = int(pulse.send(method, path, trader).headers["Pulse-Time"])
        assert abs(told / 1000 - utcnow().timestamp()) < 1


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


def test_a_call_that_was_refused_for_its_time_is_made_again_by_the_time_that_was_told(
    upstream: Upstream, start_gapi: Callable[..., Service], trader: Account
) -> None:
    gapi = start_gapi(PULSE_URL=upstream.url)
    there = int(time.time()) + 600
    telling = f"Content-Type: application/json\r\nPulse-Time: {there}000"
    accept = answering(200, EMPTY)

    def refuse_once(connection: object) -> None:
        upstream.behave = accept
        answering(401, json.dumps(CLOCK).encode(), telling)(connection)  # type: ignore[arg-type]

    upstream.behave = refuse_once
    # The user's token is of this clock, of which the gateway then knows nothing yet.
    answer = gapi.send("GET", gapi.orders, trader)

    assert answer.status_code == 200
    first, second = map(made_at, upstream.requests)
    assert abs(second - first - 600) < 5
    upstream.close()


def test_a_gateway_that_is_refused_again_says_that_it_is_about_the_clocks(
    upstream: Upstream, start_gapi: Callable[..., Service], trader: Account
) -> None:
    gapi = start_gapi(PULSE_URL=upstream.url)
    upstream.behave = answering(401, json.dumps(CLOCK).encode())

    answer = gapi.send("GET", gapi.orders, trader)

    assert error_of(answer)[:2] == (502, "UPSTREAM_ERROR")
    assert "clocks" in answer.json()["error"]["message"]
    assert len(upstream.requests) == 2
    upstream.close()


def made_at(request: bytes) -> int:
    """When the gateway says that it made this call."""
    (header,) = (line for line in request.decode().splitlines() if line.lower().startswith("authorization:"))
    made: int = jwt.decode(header.split()[-1], options={"verify_signature": False})["iat"]
    return made
