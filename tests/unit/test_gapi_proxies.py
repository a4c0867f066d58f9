"""Whom a request is from, as a proxy says: in the header that is configured, and in no other."""

import pytest
from flask import Flask, request

from gapi_app.guard.proxies import believe_proxies

CLIENT, CLAIMED, PROXY = "192.0.2.1", "198.51.100.1", "10.0.0.1"


def address_seen(count: int, header: str, headers: dict[str, str]) -> str:
    app = Flask("gapi")
    app.add_url_rule("/", view_func=lambda: request.remote_addr or "")
    believe_proxies(app, count, header)
    return app.test_client().get("/", headers=headers, environ_overrides={"REMOTE_ADDR": PROXY}).text


@pytest.mark.parametrize(
    ("count", "header", "headers", "expected"),
    [
        (0, "X-Forwarded-For", {"X-Forwarded-For": CLAIMED}, PROXY),
        (0, "Clientaddress", {"Clientaddress": CLAIMED}, PROXY),
        (1, "X-Forwarded-For", {"X-Forwarded-For": f"{CLAIMED}, {CLIENT}"}, CLIENT),
        (1, "x-forwarded-for", {"X-Forwarded-For": CLIENT}, CLIENT),
        (1, "Clientaddress", {"Clientaddress": CLIENT, "X-Forwarded-For": CLAIMED}, CLIENT),
        (2, "Clientaddress", {"Clientaddress": f"{CLAIMED}, {CLIENT}, {PROXY}"}, CLIENT),
        (1, "Clientaddress", {"X-Forwarded-For": CLAIMED}, PROXY),
    ],
)
def test_the_client_is_whom_trusted_proxies_name(
    count: int, header: str, headers: dict[str, str], expected: str
) -> None:
    assert address_seen(count, header, headers) == expected
