"""Logins at the exchange, with the official client: tokens are taken once, and dead at six in India."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import TokenException

from pulse_ops.paper_exchange.clock import INDIA
from tests.support.exchange import ACCESS_TOKEN, API_KEY, API_SECRET, RunningExchange, start_exchange

REDIRECT = "http://127.0.0.1:5000/after-login"
EVENING = datetime(2026, 11, 26, 21, tzinfo=INDIA)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with start_exchange(tmp_path_factory.mktemp("logins"), more=["--redirect-url", REDIRECT]) as running:
        yield running


@pytest.fixture
def exchange(shared: RunningExchange) -> Iterator[RunningExchange]:
    shared.control("PUT", "logins", {"standing_token": False})
    shared.move_clock(EVENING)
    yield shared
    shared.control("PUT", "logins", {"standing_token": True})
    shared.control("DELETE", "logins")
    shared.move_clock(None)


def request_token(exchange: RunningExchange, **asked: str) -> str:
    asked = {"v": "3", "api_key": API_KEY, **asked}
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(f"{exchange.url}/connect/login", params=asked, allow_redirects=False, timeout=5)
    assert page.status_code == 302
    there, _, answer = page.headers["Location"].partition("?")
    assert there == REDIRECT
    assert parse_qs(answer)["status"] == ["success"]
    return parse_qs(urlsplit(page.headers["Location"]).query)["request_token"][0]


def client(exchange: RunningExchange, api_key: str = API_KEY, access_token: str | None = None) -> KiteConnect:
    return KiteConnect(api_key=api_key, access_token=access_token, root=exchange.url)


def logged_in(exchange: RunningExchange) -> KiteConnect:
    kite = client(exchange)
    kite.generate_session(request_token(exchange), API_SECRET)
    return kite


def test_a_login_gives_a_token_that_works_and_says_who_it_is(exchange: RunningExchange) -> None:
    kite = client(exchange)
    session = kite.generate_session(request_token(exchange), API_SECRET)
    assert session["user_id"] == kite.profile()["user_id"] == "PAPER1"
    assert session["login_time"] == EVENING.replace(tzinfo=None, second=session["login_time"].second)
    assert kite.orders() == []


def test_a_token_dies_at_six_in_india_and_survives_a_restart_until_then(exchange: RunningExchange) -> None:
    kite = logged_in(exchange)
    exchange.restart()
    exchange.control("PUT", "logins", {"standing_token": False})
    exchange.move_clock(datetime(2026, 11, 27, 5, 59, 30, tzinfo=INDIA))
    assert kite.profile()
    exchange.move_clock(datetime(2026, 11, 27, 6, tzinfo=INDIA))
    with pytest.raises(TokenException, match="Incorrect `api_key` or `access_token`"):
        kite.profile()


def test_a_request_token_is_taken_once_and_within_minutes(exchange: RunningExchange) -> None:
    once, late = request_token(exchange), request_token(exchange)
    client(exchange).generate_session(once, API_SECRET)
    for token in (once, "made-up"):
        with pytest.raises(TokenException, match="Token is invalid or has expired"):
            client(exchange).generate_session(token, API_SECRET)
    exchange.move_clock(EVENING + timedelta(minutes=6))
    with pytest.raises(TokenException, match="Token is invalid or has expired"):
        client(exchange).generate_session(late, API_SECRET)


def test_a_wrong_secret_takes_no_token_and_does_not_use_it_up(exchange: RunningExchange) -> None:
    token = request_token(exchange)
    with pytest.raises(TokenException, match="Invalid `checksum`"):
        client(exchange).generate_session(token, "guessed")
    with pytest.raises(TokenException, match="Invalid `api_key`"):
        client(exchange, api_key="another").generate_session(token, API_SECRET)
    assert client(exchange).generate_session(token, API_SECRET)["access_token"]


def test_a_login_ends_the_one_before_and_ends_itself_when_it_is_logged_out(exchange: RunningExchange) -> None:
    first, second = logged_in(exchange), logged_in(exchange)
    with pytest.raises(TokenException):
        first.orders()
    assert second.invalidate_access_token() is True
    with pytest.raises(TokenException):
        second.orders()


def test_the_standing_token_works_only_while_it_is_set(exchange: RunningExchange) -> None:
    standing = client(exchange, access_token=ACCESS_TOKEN)
    with pytest.raises(TokenException):
        standing.orders()
    exchange.control("PUT", "logins", {"standing_token": True})
    assert isinstance(standing.orders(), list)


def test_what_the_app_gave_along_comes_back_from_the_login_page(exchange: RunningExchange) -> None:
    with requests.Session() as browser:
        browser.trust_env = False
        asked = {"api_key": API_KEY, "redirect_params": "state=17&next=a"}
        page = browser.get(f"{exchange.url}/connect/login", params=asked, allow_redirects=False, timeout=5)
        stranger = browser.get(f"{exchange.url}/connect/login", params={"api_key": "no"}, timeout=5)
    assert parse_qs(urlsplit(page.headers["Location"]).query)["state"] == ["17"]
    assert (stranger.status_code, stranger.json()["error_type"]) == (400, "InputException")
