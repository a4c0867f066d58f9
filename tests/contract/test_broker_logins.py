"""Operators and admins log broker accounts in over both services alike; no answer and no log holds a secret."""

import json
import secrets
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from sqlalchemy import text

from api_contract.scopes import Role
from tests.contract.client import Account, Service, error_of
from tests.support import servers
from tests.support.exchange import RunningExchange, start_exchange

PATH = "/broker-accounts/paper"
USER = "PAPER1"


@pytest.fixture(scope="module")
def exchange(
    environment: dict[str, str], services: dict[str, Service], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningExchange]:
    """Where pulse, which all tests share, looks for it; with the credentials that it has by default."""
    port = str(urlsplit(environment["PULSE_PAPER_EXCHANGE_URL"]).port)
    more = ["--port", port, "--redirect-url", "http://127.0.0.1:5010/"]
    more += ["--api-key", "paper", "--api-secret", "paper", "--access-token", "paper", "--no-standing-token"]
    with start_exchange(tmp_path_factory.mktemp("exchange"), more=more) as running:
        yield running


@pytest.fixture(autouse=True)
def account(clean_database: str) -> None:
    with servers.as_owner() as owner:
        owner.execute(
            text(
                "INSERT INTO broker_accounts (name, broker, is_live, options, state, state_since, made_by, made_at)"
                " VALUES ('paper', 'paper', false, '{}', 'AWAITING_TOKEN', now(), 'test', now())"
                " ON CONFLICT (name) DO UPDATE SET state = 'AWAITING_TOKEN'"
            )
        )


def path(service: Service, rest: str) -> str:
    return f"/{'api' if service.name == 'gapi' else 'internal'}{PATH}/{rest}"


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMIN])
def test_a_person_without_a_shell_logs_an_account_in(
    service: Service, exchange: RunningExchange, new_account: Callable[..., Account], role: Role
) -> None:
    asha = new_account(role)
    before = service.send("GET", path(service, "status"), asha).json()
    assert (before["state"], before["is_logged_in"]) == ("AWAITING_TOKEN", False)
    token = request_token(service.send("GET", path(service, "login"), asha).json()["address"])

    unnamed = service.send("POST", path(service, "login"), asha, json={"request_token": token})
    assert (unnamed.status_code, unnamed.json()["error"]["details"]) == (400, {"field": "user"})
    key, body = secrets.token_hex(8), {"request_token": token, "user": USER}
    answers = [
        service.send("POST", path(service, "login"), asha, headers={"Idempotency-Key": key}, json=body)
        for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [200, 200]
    assert answers[0].json() == answers[1].json() == service.send("GET", path(service, "status"), asha).json()
    assert (answers[0].json()["state"], answers[0].json()["broker_user"]) == ("READY", USER)

    again = service.send("POST", path(service, "login"), asha, json=body)
    assert error_of(again)[:2] == (409, "INVALID_STATE")
    told = "".join([*(one.text for one in (*answers, again)), service.log.read_text()])
    assert token not in told
    with servers.as_owner() as owner:
        [entry] = owner.execute(text("SELECT actor, action, subject, address FROM audit_entries")).all()
    assert tuple(entry[:3]) == (asha.account_id, "broker.login", "paper")
    assert (entry[3] is not None) == (service.name == "gapi")


def test_readiness_says_who_is_logged_in_and_until_when(pulse: Service, exchange: RunningExchange) -> None:
    ready = json.loads(pulse.send("GET", "/ready").text)
    assert [one["name"] for one in ready["broker_accounts"]] in ([], ["paper"])


def test_what_is_no_account_is_not_found(
    service: Service, exchange: RunningExchange, new_account: Callable[..., Account]
) -> None:
    asha = new_account(Role.OPERATOR)
    prefix = "api" if service.name == "gapi" else "internal"
    for name in ("nobody", "a" * 21, "%2e%2e"):
        for rest in ("status", "login"):
            assert service.send("GET", f"/{prefix}/broker-accounts/{name}/{rest}", asha).status_code == 404


@pytest.mark.parametrize("token", ["", "a" * 513, "caf\u00e9", "a\nb", "a\x00b", 7, None])
def test_what_no_page_hands_out_is_refused_by_name(
    service: Service, exchange: RunningExchange, new_account: Callable[..., Account], token: object
) -> None:
    answer = service.send("POST", path(service, "login"), new_account(Role.OPERATOR), json={"request_token": token})

    assert answer.status_code in (400, 422)
    assert "request_token" in answer.text


def request_token(address: str) -> str:
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(address, allow_redirects=False, timeout=5)
    return parse_qs(urlsplit(page.headers["Location"]).query)["request_token"][0]
