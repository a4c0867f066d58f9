"""What operators, admins and the owner of a login ask of the client: each call as the API has it, its answer read."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from api_contract.shapes.examples import EXAMPLES as SHOWN
from pulse_client.errors import Unauthorized
from pulse_client.gateway import Credentials, Gateway
from pulse_client.operating import Settlement
from pulse_client.policies import NewCatchUpPolicy
from pulse_client.vocabulary import OpenOrders, Role
from tests.support.gateway import PASSWORD, USERNAME, Canned, FakeGateway

ORDER, SLICE, ACCOUNT, KEY = "ord_1", "sl_1", "acc_1", "key_1"
OF_SLICE, OF_USER = f"/api/orders/{ORDER}/slices/{SLICE}", f"/api/admin/users/{ACCOUNT}"
Call = Callable[[Gateway], Any]


@pytest.mark.parametrize(
    ("call", "request_line", "body", "answer"),
    [
        (lambda asking: asking.retry_slice(ORDER, SLICE), f"POST {OF_SLICE}/retry", None, "Slice"),
        (lambda asking: asking.resolve_slice(ORDER, SLICE), f"POST {OF_SLICE}/resolve", None, "Slice"),
        (
            lambda asking: asking.settle_slice(ORDER, SLICE, Settlement(12, Decimal("2850.05"))),
            f"POST {OF_SLICE}/settle",
            {"filled": 12, "price": "2850.05", "absent": False, "reason": ""},
            "Slice",
        ),
        (lambda asking: asking.revoke_key(KEY), f"DELETE /api/keys/{KEY}", None, "Key"),
        (lambda asking: asking.revoke_any_key(KEY), f"DELETE /api/admin/keys/{KEY}", None, "Key"),
        (lambda asking: asking.user(ACCOUNT), f"GET {OF_USER}", None, "User"),
        (
            lambda asking: asking.add_user("meera", "a password", Role.TRADER),
            "POST /api/admin/users",
            {"username": "meera", "password": "a password", "role": "trader"},
            "User",
        ),
        (
            lambda asking: asking.change_user(ACCOUNT, {"requests_per_minute": None}, if_match='"1"'),
            f"PATCH {OF_USER}",
            {"requests_per_minute": None},
            "User",
        ),
        (
            lambda asking: asking.offboard(ACCOUNT, OpenOrders.CANCEL),
            f"POST {OF_USER}/offboard",
            {"open_orders": "cancel"},
            "Offboarded",
        ),
        (lambda asking: asking.user_limits(ACCOUNT), f"GET {OF_USER}/limits", None, "AccountLimits"),
        (
            lambda asking: asking.set_user_limits(ACCOUNT, {"day_worth": "50000000"}),
            f"PUT {OF_USER}/limits",
            {"day_worth": "50000000"},
            "AccountLimits",
        ),
        (lambda asking: asking.user_policy(ACCOUNT), f"GET {OF_USER}/policy", None, "AccountPolicy"),
        (
            lambda asking: asking.set_user_policy(ACCOUNT, NewCatchUpPolicy(extend_minutes=5)),
            f"PUT {OF_USER}/policy",
            {"extend_minutes": 5},
            "AccountPolicy",
        ),
    ],
)
def test_what_is_asked_is_sent_once_and_its_answer_read(
    gateway: FakeGateway, call: Call, request_line: str, body: Any, answer: str
) -> None:
    gateway.canned.append(Canned(200, raw=json.dumps(SHOWN[answer]).encode()))
    told = call(Gateway(gateway.url, gateway.token))
    [seen] = gateway.seen
    assert (f"{seen.method} {seen.path}", seen.body) == (request_line, body)
    assert (seen.key is None) is (seen.method == "GET")
    assert {name for name in SHOWN[answer] if not hasattr(told, name)} == set()


@pytest.mark.parametrize(
    ("call", "request_line", "query"),
    [
        (lambda asking: asking.log_user_out(ACCOUNT, revoke_keys=True), f"POST {OF_USER}/logout", "true"),
        (lambda asking: asking.log_out_everywhere(), "POST /api/auth/logout-all", "false"),
        (lambda asking: asking.remove_second_factor(ACCOUNT), f"DELETE {OF_USER}/second-factor", None),
    ],
)
def test_what_ends_logins_says_whether_keys_end_too(
    gateway: FakeGateway, call: Call, request_line: str, query: str | None
) -> None:
    gateway.canned.append(Canned(204, raw=b"\n"))
    call(Gateway(gateway.url, gateway.token))
    [seen] = gateway.seen
    assert (f"{seen.method} {seen.path}", seen.query.get("revoke_keys")) == (request_line, query and [query])


@pytest.mark.parametrize(
    ("call", "name", "shape"),
    [
        (lambda asking: asking.keys(), "keys", "KeyList"),
        (lambda asking: asking.users(), "users", "UserList"),
        (lambda asking: asking.audit(ORDER), "entries", "Audit"),
    ],
)
def test_pages_are_read_to_their_end(gateway: FakeGateway, call: Call, name: str, shape: str) -> None:
    page = SHOWN[shape] | {name: SHOWN[shape][name][:1]}
    for cursor in ("further", None):
        gateway.canned.append(Canned(200, raw=json.dumps(page | {"next_cursor": cursor}).encode()))
    assert len(list(call(Gateway(gateway.url, gateway.token)))) == 2
    assert [one.query.get("cursor") for one in gateway.seen] == [None, ["further"]]


def test_a_key_is_made_with_the_password_and_never_asked_for_twice(gateway: FakeGateway) -> None:
    gateway.canned.append(Canned(201, raw=json.dumps(SHOWN["MadeKey"]).encode()))
    made = Gateway(gateway.url, gateway.token).add_key("rebalancer", ["orders:read"], "a password", code="492039")
    [seen] = gateway.seen
    assert (seen.method, seen.path, seen.key) == ("POST", "/api/keys", None)
    assert seen.body == {
        "name": "rebalancer", "scopes": ["orders:read"], "password": "a password", "expires_in_days": 90,
        "networks": [], "totp_code": "492039",
    }  # fmt: skip
    assert made.api_key not in repr(made)


def test_after_a_new_password_the_client_logs_in_with_it(gateway: FakeGateway) -> None:
    asking = Gateway(gateway.url, Credentials(USERNAME, "the one before"))
    asking._token = gateway.token
    gateway.canned.append(Canned(204, raw=b"\n"))
    asking.change_password("the one before", PASSWORD, revoke_keys=True)
    asking.slices(gateway.add())
    changed, login, _read = gateway.seen
    assert changed.body == {"current_password": "the one before", "new_password": PASSWORD, "revoke_keys": True}
    assert login.body == {"username": USERNAME, "password": PASSWORD}


def test_who_logs_out_with_a_token_alone_is_out(gateway: FakeGateway) -> None:
    asking = Gateway(gateway.url, gateway.token)
    gateway.canned.append(Canned(204, raw=b"\n"))
    asking.log_out()
    gateway.token = "another"
    with pytest.raises(Unauthorized):
        asking.user_page()
    assert [(one.method, one.path) for one in gateway.seen[:1]] == [("POST", "/api/auth/logout")]
