"""What browsers are told with every answer of the gateway."""

import pytest

from tests.contract.client import Account, Service

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/health"), ("GET", "/docs"), ("GET", "/nowhere"), ("PUT", "/api/orders"), ("POST", "/api/auth/login")],
)
def test_every_answer_is_secured(gapi: Service, method: str, path: str) -> None:
    headers = gapi.send(method, path).headers

    assert {name: headers.get(name) for name in EVERYWHERE} == EVERYWHERE
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert not [name for name in headers if name.lower().startswith("access-control-")]


def test_answers_are_kept_nowhere_unless_they_can_be_compared(gapi: Service, trader: Account) -> None:
    assert gapi.send("GET", "/health").headers["Cache-Control"] == "no-store"
    assert gapi.send("GET", "/api/orders", trader).headers["Cache-Control"] == "private, no-cache"


def test_the_api_page_may_run_its_own_scripts_only(gapi: Service) -> None:
    policy = gapi.send("GET", "/docs").headers["Content-Security-Policy"]

    assert "script-src 'self'" in policy
    assert "default-src 'none'" in policy
