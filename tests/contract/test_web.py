"""The page over the wire: its files, and logins with a cookie that no script reads and no other site sends."""

import re
from collections.abc import Callable

import pytest
import requests

from api_contract.scopes import Role
from gapi_app.web.files import site
from tests.contract.client import Account, Service, error_of

SESSION = "/app/session"
HERE = {"Sec-Fetch-Site": "same-origin"}
FILE = f"/app/static/{site().digest}/main.js"


def log_in(gapi: Service, who: Account, **headers: str) -> requests.Response:
    body = {"username": who.username, "password": who.password}
    return gapi.send("POST", SESSION, json=body, headers=HERE | headers)


def cookie_of(answer: requests.Response) -> str:
    return answer.headers["Set-Cookie"]


def with_cookie(answer: requests.Response, **headers: str) -> dict[str, str]:
    return {"Cookie": cookie_of(answer).partition(";")[0], **HERE, **headers}


def refresh(gapi: Service, headers: dict[str, str]) -> requests.Response:
    gapi.http.cookies.clear()
    return gapi.send("POST", f"{SESSION}/refresh", headers=headers)


def test_the_refresh_token_is_in_a_cookie_of_these_calls_alone(gapi: Service, trader: Account) -> None:
    answer = log_in(gapi, trader)
    name, *rules = cookie_of(answer).split("; ")
    assert name.startswith("pulse_login=rt_")
    assert {"HttpOnly", "SameSite=Strict", "Path=/app/session"} <= set(rules)
    assert "rt_" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"

    token = answer.json()["access_token"]
    assert gapi.send("GET", "/api/me", headers=gapi.bearer(token)).json()["username"] == trader.username
    assert gapi.send("GET", "/api/me", headers=with_cookie(answer)).status_code == 401, "the API takes no cookie"


def test_over_https_the_cookie_is_for_https_alone(gapi: Service, trader: Account) -> None:
    host = gapi.url.removeprefix("http://")
    answer = log_in(gapi, trader, Origin=f"https://{host}")
    assert cookie_of(answer).startswith("__Secure-pulse_login=rt_")
    assert "Secure" in cookie_of(answer).split("; ")
    assert refresh(gapi, with_cookie(answer)).status_code == 200


def test_a_login_goes_on_by_its_cookie_until_it_is_logged_out(gapi: Service, trader: Account) -> None:
    first = log_in(gapi, trader)
    second = refresh(gapi, with_cookie(first))
    assert second.json()["refresh_expires_at"] == first.json()["refresh_expires_at"]
    assert refresh(gapi, with_cookie(first)).status_code == 200, "twice within moments: a reload, or two tabs"

    third = refresh(gapi, with_cookie(refresh(gapi, with_cookie(log_in(gapi, trader)))))
    gapi.http.cookies.clear()
    ended = gapi.send("DELETE", SESSION, headers=with_cookie(third))
    assert ended.status_code == 204
    assert "Max-Age=0" in cookie_of(ended)
    assert gapi.send("GET", "/api/me", headers=gapi.bearer(third.json()["access_token"])).status_code == 401
    assert refresh(gapi, with_cookie(third)).status_code == 401
    assert gapi.send("DELETE", SESSION, headers=HERE).status_code == 204, "repeating it is harmless"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site", "Origin": "OURS"},
    ],
)
def test_another_site_can_neither_refresh_nor_log_anybody_in_or_out(
    gapi: Service, trader: Account, headers: dict[str, str]
) -> None:
    cookie = with_cookie(log_in(gapi, trader))["Cookie"]
    told = {name: gapi.url if one == "OURS" else one for name, one in headers.items()} | {"Cookie": cookie}
    body = {"username": trader.username, "password": trader.password}
    for method, path, sent in (
        ("POST", SESSION, body),
        ("POST", f"{SESSION}/refresh", None),
        ("DELETE", SESSION, None),
    ):
        assert gapi.send(method, path, json=sent, headers=told).status_code == 403
    assert refresh(gapi, {"Cookie": cookie, "Origin": gapi.url}).status_code == 200, "a browser that says no more"


@pytest.mark.parametrize("cookie", ["", "pulse_login=", f"pulse_login={'x' * 300}", "pulse_login=rt_nobody"])
def test_what_is_no_login_is_401(gapi: Service, cookie: str) -> None:
    assert error_of(refresh(gapi, HERE | {"Cookie": cookie}))[:2] == (401, "UNAUTHORIZED")


def test_a_login_is_read_as_strictly_as_that_of_the_api(gapi: Service, trader: Account) -> None:
    assert log_in(gapi, Account("", trader.username, "wrong", "")).status_code == 401
    for body in ({}, {"username": "a", "password": "b", "more": 1}, {"username": 1, "password": "b"}, [], "x"):
        assert gapi.send("POST", SESSION, json=body, headers=HERE).status_code == 400
    assert gapi.send("POST", f"{SESSION}?a=1", json={}, headers=HERE).status_code == 400
    assert gapi.send("POST", SESSION, data=b"{}", headers=HERE).status_code == 415


def test_operators_are_told_where_tasks_and_metrics_are_shown(
    start_gapi: Callable[..., Service], new_account: Callable[..., Account], trader: Account
) -> None:
    urls = {"PULSE_FLOWER_URL": "http://127.0.0.1:5555", "PULSE_GRAFANA_URL": "https://grafana.example.com/d/pulse"}
    gapi = start_gapi(**urls, PULSE_RATE_LIMIT_ADDRESS="4/hour")
    told = log_in(gapi, new_account(Role.OPERATOR)).json()["links"]
    assert told == dict(zip(("Flower", "Grafana"), urls.values(), strict=True))
    assert log_in(gapi, trader).json()["links"] == {}

    # Files of the page are outside of the limits, and what only looks like one is not.
    assert [gapi.send("GET", FILE).status_code for _ in range(6)] == [200] * 6
    assert [gapi.send("GET", f"{FILE}x").status_code for _ in range(3)] == [404, 404, 429]
    assert gapi.send("GET", FILE).status_code == 200


def test_the_page_needs_nothing_from_elsewhere_and_runs_its_own_scripts_alone(gapi: Service) -> None:
    assert gapi.send("GET", "/").headers["Location"] == "/app"
    assert gapi.send("GET", "/app/").headers["Location"] == "/app"
    page = gapi.send("GET", "/app")
    rules = dict(rule.strip().partition(" ")[::2] for rule in page.headers["Content-Security-Policy"].split(";"))
    assert rules == {
        **dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'"),
        **dict.fromkeys(("script-src", "style-src", "img-src", "connect-src"), "'self'"),
        "require-trusted-types-for": "'script'",
        "trusted-types": "lit-html",
    }
    assert not re.search(r"<script(?! type=\"module\" src=)|<style|\son\w+=|\sstyle=", page.text)
    links = set(re.findall(r'(?:src|href)="([^"#]+)"', page.text)) - {"/docs"}
    assert links
    for link in links:
        answer = gapi.send("GET", link)
        assert (answer.status_code, link) == (200, link)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", ["/app", "/app/new", "/app/attention", "/app/account", "/app/orders/ord_1"])
def test_the_page_itself_is_asked_for_again_and_is_not_sent_again(gapi: Service, path: str) -> None:
    page = gapi.send("GET", path, headers={"Accept-Encoding": "identity"})
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-cache")
    again = gapi.send("GET", path, headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("encoding", ["gzip", "identity", "br", "gzip;q=0"])
def test_a_file_is_the_same_compressed_or_not(gapi: Service, encoding: str) -> None:
    answer = gapi.send("GET", FILE, headers={"Accept-Encoding": encoding})
    assert answer.content == site().files["main.js"].content
    assert answer.headers.get("Content-Encoding") == ("gzip" if encoding == "gzip" else None)
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/app/nowhere",
        "/app/static/",
        f"/app/static/{'0' * 20}/main.js",
        f"/app/static/{site().digest}/../__init__.py",
        f"/app/static/{site().digest}/%2e%2e/files.py",
        f"/app/static/{site().digest}/vendor/VENDORED.toml",
    ],
)
def test_nothing_else_is_served(gapi: Service, path: str) -> None:
    assert gapi.send("GET", path).status_code == 404
