"""Every route of the specifications, called by every kind of caller, on what is its own and on what is another's."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from api_contract.scopes import Role, Scope
from api_contract.vocabulary import HaltedWorking
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.events import webhooks
from pulse_core.identity import api_keys
from pulse_core.owner import OneAccount
from pulse_core.trading.halts.halting import halt
from pulse_core.trading.store import orders
from pulse_core.trading.store.halts import HaltScope
from tests.contract.client import DOCUMENTS, Account, Service
from tests.contract.conftest import make_account
from tests.contract.rights import EXPIRED, KINDS, NOBODY, RIGHTS, SERVICE, Kind, On, expected
from tests.contract.siblings import sibling_token
from tests.support.factories import a_split_order, an_alarm, slices_of
from tests.support.instruments import a_share, in_force
from tests.support.service_token import SIBLING

# Whoever has called one of these is another afterwards, or has nothing left to call it on.
SPENDING = {"log_out", "log_out_everywhere", "remove_webhook", "change_user", "log_user_out"} | {
    "change_account", "log_account_out", "offboard_user", "offboard_account", "remove_any_webhook"
}  # fmt: skip
GATEWAY = Account("gapi", "gapi", "", "gapi")
# Where an empty body would be refused before anybody looks whose thing it is.
BODIES = {"redeliver_event": b'{"event_id": 1}', "amend_order": b'{"client_note": null}'}
# So that a stream is refused instead of followed, or is a page.
QUERIES = (
    {"follow_account": "?last_event_id=none", "show_market": "?day=2026-11-27"}
    | dict.fromkeys(("find_order_by_query", "cancel_order_by_query"), "?order_unique_key={order_unique_key}")
    | dict.fromkeys(("follow_order", "follow_all_accounts", "follow_alarms"), "?format=json")
)
NOBODYS = {"session_id": "ses_1", "exchange": "NSE", "instrument": "NSE:LISTED", "name": "paper"}


@dataclass(frozen=True)
class Caller:
    """One of a kind, with an order, a slice, a key and a webhook of its own."""

    kind: Kind
    account: Account
    things: dict[str, str]
    api_key: str | None
    api_key_id: str | None


Cast = Callable[[], list[Caller]]


def operations(service: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENTS[service]["paths"].items():
        yield from ((path, method.upper(), one) for method, one in methods.items() if method != "parameters")


CALLS = [(service, path, method, one) for service in RIGHTS for path, method, one in operations(service)]


@pytest.mark.parametrize("service", RIGHTS)
def test_every_operation_has_its_right_and_the_specification_says_the_same(service: str) -> None:
    stated = {operation["operationId"]: needed(operation) for _, _, operation in operations(service)}
    assert stated == {name: right.needed for name, right in RIGHTS[service].items()}


@pytest.mark.parametrize(
    ("name", "path", "method", "operation"),
    CALLS,
    ids=[f"{service} {operation['operationId']}" for service, _, _, operation in CALLS],
)
def test_each_caller_gets_what_it_has_a_right_to(
    services: dict[str, Service],
    environment: dict[str, str],
    cast: Cast,
    stranger: Caller,
    name: str,
    path: str,
    method: str,
    operation: dict[str, Any],
) -> None:
    operation_id, service = operation["operationId"], services[name]
    right = RIGHTS[name][operation_id]
    if operation_id == "remove_any_webhook":
        stranger = make_caller(stranger.kind)
    for caller in make_cast() if operation_id in SPENDING else cast():
        for owner in (stranger, caller) if right.on is not On.NOTHING else (caller,):
            target = (path + QUERIES.get(operation_id, "")).format(**owner.things | NOBODYS)
            answer = call(service, caller, method, target, operation)
            refusal = expected(name, caller.kind, right, is_own=owner is caller)
            told = f"{caller.kind.name} got {answer.status_code} on its {'own' if owner is caller else 'foreign'} thing"
            if refusal is None:
                assert answer.status_code in (200, 201, 202, 204, 400, 409), told
            else:
                assert answer.status_code == refusal, f"{told}, not {refusal}"


@pytest.fixture(scope="module", autouse=True)
def listed(environment: dict[str, str]) -> Iterator[None]:
    with in_force([a_share("LISTED"), a_share()]):
        yield


@pytest.fixture(scope="module")
def cast(environment: dict[str, str]) -> Cast:
    made: list[Caller] = []

    def once() -> list[Caller]:
        made.extend(make_cast() if not made else ())
        return made

    return once


@pytest.fixture(scope="module")
def stranger(environment: dict[str, str]) -> Caller:
    return make_caller(Kind("trader", "trader"))


def key_of(order_id: str) -> str:
    with db.transaction() as session:
        return orders.get(session, order_id).order_unique_key  # type: ignore[union-attr]


def a_halt(account_id: str) -> str:
    """Of the account's own orders."""
    return halt(OneAccount(account_id), HaltScope(), HaltedWorking.KEEP, "lunch", account_id, utcnow())[0].halt_id


def make_cast() -> list[Caller]:
    return [make_caller(kind) for kind in KINDS]


def make_caller(kind: Kind) -> Caller:
    account, now = make_account(Role(kind.role or "trader")), utcnow()
    order_id = a_split_order(now, account.account_id)
    things = {
        "account_id": account.account_id,
        "order_id": order_id,
        "order_unique_key": key_of(order_id),
        "slice_id": slices_of(order_id)[0].id,
        "alarm_id": an_alarm(slices_of(order_id)[0]),
        "halt_id": a_halt(account.account_id),
        "key_id": api_keys.add_key(account.account_id, "bot", [Scope.ORDERS_READ], 30, now).key.id,
        "webhook_id": webhooks.add_webhook(account.account_id, "https://93.184.216.34/events", now).webhook.id,
    }
    if kind.key_scopes is None:
        return Caller(kind, account, things, None, None)
    made = api_keys.add_key(account.account_id, "caller", [Scope(one) for one in kind.key_scopes], 30, now)
    return Caller(kind, account, things, made.text, made.key.id)


def call(service: Service, caller: Caller, method: str, target: str, operation: dict[str, Any]) -> requests.Response:
    """An empty body where there is one: whoever may call learns what it lacks, and nothing is done."""
    body = BODIES.get(operation["operationId"], b"{}") if "requestBody" in operation else b""
    headers = {"Content-Type": "application/json"} if body else {}
    headers |= {"If-Match": "*"} if operation["operationId"] == "amend_order" else {}
    if caller.kind is not NOBODY:
        headers |= service.bearer(token(service, caller, method, target, body))
    return service.send(method, target, headers=headers, data=body)


def token(service: Service, caller: Caller, method: str, target: str, body: bytes) -> str:
    kind, account = caller.kind, caller.account
    if kind.name == SERVICE or (kind.role is None and kind is not EXPIRED and service.name == "gapi"):
        issuer = SIBLING if kind.name == SERVICE else "gapi"
        return sibling_token(target, body, method=method, iss=issuer)
    if service.name == "gapi" and caller.api_key is not None:
        return caller.api_key
    claims: dict[str, Any] = {"iat": 0, "exp": 1} if kind is EXPIRED else {}
    claims |= {"enrol": True} if kind.must_enrol else {}
    if service.name == "gapi":
        return service.token(account, sid=f"ses_{secrets.token_hex(8)}", **claims)
    if kind.key_scopes is not None:
        claims |= {"scope": " ".join(sorted(kind.key_scopes)), "key_id": caller.api_key_id}
    return service.token(GATEWAY if kind.name == "gateway" else account, method, target, body, **claims)


def needed(operation: dict[str, Any]) -> str | None:
    for [(scheme, needs)] in (one.items() for one in operation["security"]):
        return needs[0] if needs else scheme.removesuffix("Token")
    return None
