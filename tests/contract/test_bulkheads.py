"""Nobody stops another: with every other kind of request stuck, cancels, health and revocations are answered."""

import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from select import select

import psycopg2
import pytest
import requests

from api_contract.scopes import Role
from pulse_core.identity.api_keys import checksum
from tests.contract.client import Account, Service, error_of, new_order
from tests.contract.logins import log_in
from tests.contract.slow import answer_of, connected
from tests.contract.upstream import Upstream
from tests.support.processes import Processes, wait_until

# What is promised, and what the machine takes for the same when nothing is stuck, some times over. What is stuck is
# stuck for twenty seconds, and who waits for a place among it is refused after one or three.
PROMISED_SECONDS, BY_THE_QUIET = 1.0, 5
# How often a gateway asks for news.
NEWS_SECONDS = 1.0
STUCK = {"PULSE_DATABASE_LOCK_TIMEOUT": "20", "PULSE_DATABASE_STATEMENT_TIMEOUT": "20"}
PATIENT = {"PULSE_ANSWER_TIMEOUT": "20", "PULSE_LOGIN_TIMEOUT": "20"}
MORE_THAN_PLACES = 70
GATEWAY = Account("gapi", "gapi", "", "gapi")
# Nobody's, but one whose checksum is right, so that it has to be looked up.
A_KEY = "pk_01J00000000000000000000000_" + "0" * 40
A_KEY += checksum(A_KEY)

NewAccount = Callable[..., Account]


@pytest.fixture(scope="module")
def site(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Service]]:
    """A pulse that waits for locks, two gateways in front of it that wait for pulse."""
    processes = Processes(tmp_path_factory.mktemp("site"), environment)
    try:
        child, pulse_url = processes.pulse(**STUCK)
        found = {"pulse": Service("pulse", pulse_url, environment["PULSE_SERVICE_PRIVATE_KEY"], child.log_path)}
        for name in ("gapi", "other"):
            child, url = processes.gapi(PULSE_URL=pulse_url, **PATIENT)
            found[name] = Service("gapi", url, environment["PULSE_JWT_KEY"], child.log_path)
        yield found
    finally:
        processes.close()


def raw(service: Service, account: Account | None, method: str, path: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}"]
    lines += ["Content-Type: application/json"] if body else []
    if account is not None:
        lines.append(f"Authorization: Bearer {service.token(account, method, path, body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def locked(database_url: str, account: Account) -> Iterator[None]:
    """Webhooks, keys and failed logins cannot be read, and this account can place no order."""
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE webhooks, api_keys, login_failures IN ACCESS EXCLUSIVE MODE")
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (account.account_id,))
        yield
        connection.rollback()


def stuck_requests(service: Service, operator: Account, greedy: Account) -> list[Callable[[], bytes]]:
    """One of each kind that hangs; each made anew, as pulse takes no token twice."""
    login = {"username": "x", "password": "y" * 12}
    if service.name == "gapi":
        return [
            partial(raw, service, operator, "GET", "/api/webhooks"),
            partial(raw, service, greedy, "POST", "/api/orders", json.dumps(new_order()).encode()),
            partial(raw, service, None, "POST", "/api/auth/login", json.dumps(login).encode()),
        ]
    from_gateway = login | {"address": "192.0.2.1"}
    return [
        partial(raw, service, operator, "GET", "/internal/webhooks"),
        partial(raw, service, greedy, "POST", "/internal/orders", json.dumps(new_order()).encode()),
        partial(raw, service, GATEWAY, "POST", "/internal/sessions", json.dumps(from_gateway).encode()),
        partial(raw, service, GATEWAY, "POST", "/internal/keys/holder", json.dumps({"api_key": A_KEY}).encode()),
    ]


@contextmanager
def flooded(service: Service, operator: Account, greedy: Account) -> Iterator[None]:
    """More requests of each kind than there are places for, none of which gets on."""
    with ExitStack() as opened:
        for request in stuck_requests(service, operator, greedy):
            for _ in range(MORE_THAN_PLACES):
                opened.enter_context(connected(service.url, request()))
        # By then all of them have been taken in.
        service.send("GET", "/health")
        yield


def any_answered(connections: Sequence[socket.socket]) -> bool:
    return bool(select(connections, [], [], 0)[0])


@dataclass
class Vital:
    """Something that must always work; `send` sends it for the nth time."""

    send: Callable[[int], requests.Response]
    status: int
    quiet_seconds: float = float("inf")

    def try_quietly(self, *times: int) -> None:
        """Note how long it takes at best."""
        self.quiet_seconds = min(self._seconds(number) for number in times)

    def check(self, number: int) -> None:
        seconds = self._seconds(number)
        assert seconds < PROMISED_SECONDS + BY_THE_QUIET * self.quiet_seconds, self.quiet_seconds

    def _seconds(self, number: int) -> float:
        began = time.monotonic()
        answer = self.send(number)
        assert answer.status_code == self.status, answer.text
        return time.monotonic() - began


def order_of(gapi: Service, trader: Account) -> str:
    """An order, asked for until there is a place for it: what was stuck in the test before may still have them all."""
    asked = new_order()
    answers: list[requests.Response] = []

    def is_taken() -> bool:
        answers.append(gapi.place(trader, **asked))
        assert answers[-1].status_code in (202, 503), answers[-1].text
        return answers[-1].status_code == 202

    wait_until(is_taken, what="a place for an order")
    return f"/api/orders/{answers[-1].json()['order_id']}"


def test_what_is_vital_is_answered_while_everything_else_is_stuck(
    site: dict[str, Service], environment: dict[str, str], trader: Account, new_account: NewAccount
) -> None:
    gapi, pulse, other = site["gapi"], site["pulse"], site["other"]
    admin, leavers = log_in(gapi, new_account(Role.ADMIN)), [new_account() for _ in range(3)]
    followed = log_in(other, leavers[2])
    greedy, operator = new_account(), new_account(Role.OPERATOR)
    orders = [order_of(gapi, trader) for _ in range(3)]

    def disable(number: int) -> requests.Response:
        return admin.send("PATCH", f"/api/admin/users/{leavers[number].account_id}", json={"is_active": False})

    disabled = Vital(disable, 200)
    vital = [
        Vital(lambda _: gapi.send("GET", "/health"), 200),
        Vital(lambda _: pulse.send("GET", "/health"), 200),
        Vital(lambda number: gapi.send("DELETE", orders[number], trader), 202),
        disabled,
    ]
    for one in vital:
        one.try_quietly(0, 1)
    with (
        locked(environment["DATABASE_URL"], greedy),
        flooded(pulse, operator, greedy),
        flooded(gapi, operator, greedy),
    ):
        for one in vital:
            one.check(2)
        patience = NEWS_SECONDS + PROMISED_SECONDS + BY_THE_QUIET * disabled.quiet_seconds
        wait_until(lambda: not followed.is_believed(), patience, "the news of a revocation")


def test_pause_and_resume_are_vital_too(
    site: dict[str, Service], environment: dict[str, str], trader: Account, new_account: NewAccount
) -> None:
    gapi, pulse = site["gapi"], site["pulse"]
    greedy, operator = new_account(), new_account(Role.OPERATOR)
    order = order_of(gapi, trader)

    def act(action: str, _number: int) -> requests.Response:
        return gapi.send("POST", f"{order}/{action}", trader)

    # Not split yet, so it cannot be paused: that is an answer.
    vital = [Vital(partial(act, action), 409) for action in ("pause", "resume")]
    for one in vital:
        one.try_quietly(0, 1)
    with locked(environment["DATABASE_URL"], greedy), flooded(pulse, operator, greedy):
        for one in vital:
            one.check(2)


def test_who_finds_no_place_is_told_so_in_words(
    site: dict[str, Service], environment: dict[str, str], new_account: NewAccount
) -> None:
    pulse, gapi = site["pulse"], site["gapi"]
    greedy, operator = new_account(), new_account(Role.OPERATOR)
    with locked(environment["DATABASE_URL"], greedy):
        for service, path in ((pulse, "/internal/webhooks"), (gapi, "/api/webhooks")):
            with connected(service.url, raw(service, operator, "GET", path), MORE_THAN_PLACES) as stuck:
                # The one that asks next could overtake some of them and have their place.
                wait_until(partial(any_answered, stuck), what="one that found no place")
                answer = service.send("GET", path, new_account(Role.OPERATOR), timeout=10)
                status, code, details = error_of(answer)
                assert (status, code) == (503, "SERVICE_UNAVAILABLE")
                assert details == {"busy": "requests", "retry_after_seconds": 1}
                assert answer.headers["Retry-After"] == "1"
                assert "nothing was done" in answer.json()["error"]["message"]


@pytest.fixture
def hanging() -> Iterator[Upstream]:
    """A pulse that answers no question but the one about revocations."""
    upstream = Upstream()
    upstream.behave = lambda connection: connection.recv(1) and None
    yield upstream
    upstream.close()


def test_an_account_has_so_many_requests_at_once_and_others_have_theirs(
    processes: Processes, environment: dict[str, str], hanging: Upstream, new_account: NewAccount
) -> None:
    child, url = processes.gapi(
        PULSE_URL=hanging.url, PULSE_REQUESTS_AT_ONCE="8", PULSE_REQUESTS_BESIDE_OTHERS="8", PULSE_ANSWER_TIMEOUT="15"
    )
    gapi = Service("gapi", url, environment["PULSE_JWT_KEY"], child.log_path)
    greedy, honest = new_account(), new_account()
    with connected(url, raw(gapi, greedy, "GET", "/api/orders"), 2):
        wait_until(lambda: len(hanging.requests) == 2)
        refused = gapi.send("GET", "/api/orders", greedy)
        assert error_of(refused) == (429, "RATE_LIMITED", {"limit": 2, "retry_after_seconds": 1})
        # However it is spelled: what is decoded decides.
        with connected(url, raw(gapi, greedy, "GET", "/%61pi%2forders")) as (spelled,):
            assert answer_of(spelled).startswith(b"HTTP/1.1 429 ")
        with connected(url, raw(gapi, honest, "GET", "/api/orders")):
            wait_until(lambda: len(hanging.requests) == 3)
        with connected(url, raw(gapi, greedy, "DELETE", "/api/orders%2Ford_01J00000000000000000000000")):
            wait_until(lambda: hanging.requests[-1].startswith(b"DELETE"), what="a cancel of the greedy one")


def test_a_login_has_a_time_limit_and_words_of_its_own(
    processes: Processes, environment: dict[str, str], hanging: Upstream
) -> None:
    child, url = processes.gapi(PULSE_URL=hanging.url, PULSE_LOGIN_TIMEOUT="0.3", PULSE_ANSWER_TIMEOUT="15")
    gapi = Service("gapi", url, environment["PULSE_JWT_KEY"], child.log_path)
    answer = gapi.send("POST", "/api/auth/login", json={"username": "asha", "password": "x" * 12})
    assert error_of(answer)[:2] == (504, "UPSTREAM_TIMEOUT")
    assert answer.json()["error"]["message"] == "the password was not checked in time: log in again"


def test_logins_of_one_network_leave_places_to_others(
    processes: Processes, environment: dict[str, str], hanging: Upstream
) -> None:
    child, url = processes.gapi(PULSE_URL=hanging.url, PULSE_TRUSTED_PROXIES="1", PULSE_LOGIN_TIMEOUT="20")
    gapi = Service("gapi", url, environment["PULSE_JWT_KEY"], child.log_path)
    body = json.dumps({"username": "asha", "password": "x" * 12}).encode()

    def login_from(address: str) -> bytes:
        return raw(gapi, None, "POST", "/api/auth/login", body).replace(
            b"Host: x", f"Host: x\r\nX-Forwarded-For: {address}".encode()
        )

    with ExitStack() as opened:
        for last in range(4):
            opened.enter_context(connected(url, login_from(f"198.51.100.{last}")))
        wait_until(lambda: len(hanging.requests) == 4)
        with connected(url, login_from("198.51.100.200")) as (fifth,):
            assert answer_of(fifth).startswith(b"HTTP/1.1 429 ")
        opened.enter_context(connected(url, login_from("203.0.113.1")))
        wait_until(lambda: len(hanging.requests) == 5)


def test_a_flood_of_logins_leaves_places_to_networks_from_which_somebody_is_let_in(
    processes: Processes, environment: dict[str, str], hanging: Upstream, trader: Account
) -> None:
    child, url = processes.gapi(PULSE_URL=hanging.url, PULSE_TRUSTED_PROXIES="1", PULSE_LOGIN_TIMEOUT="20")
    gapi = Service("gapi", url, environment["PULSE_JWT_KEY"], child.log_path)
    body = json.dumps({"username": "asha", "password": "x" * 12}).encode()

    def sent_from(address: str, request: bytes) -> bytes:
        return request.replace(b"Host: x", f"Host: x\r\nX-Forwarded-For: {address}".encode())

    def login_from(address: str) -> bytes:
        return sent_from(address, raw(gapi, None, "POST", "/api/auth/login", body))

    with ExitStack() as opened:
        opened.enter_context(connected(url, sent_from("203.0.113.1", raw(gapi, trader, "GET", "/api/orders"))))
        wait_until(lambda: len(hanging.requests) == 1)
        for number in range(8):
            opened.enter_context(connected(url, login_from(f"198.51.{number}.1")))
        wait_until(lambda: len(hanging.requests) == 9, what="a flood that has all places")
        with connected(url, login_from("198.51.100.1")) as (from_nowhere,):
            assert answer_of(from_nowhere).startswith(b"HTTP/1.1 503 ")
        opened.enter_context(connected(url, login_from("203.0.113.200")))
        wait_until(lambda: len(hanging.requests) == 10, what="a login from a network that is known")
