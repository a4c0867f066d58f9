"""A request that comes again with its key is done once and answered twice."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from api_contract.scopes import Role
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.idempotency.answers import forget_answers
from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import Task
from tests.contract.client import DOCUMENTS, Account, Service, error_of, new_order, resolved
from tests.contract.test_matrix import operations

KEEPING = [(service, one) for service in ("gapi", "pulse") for _, _, one in operations(service)]
SECRETS = {"access_token", "refresh_token", "api_key", "secret", "password"}
RACERS = 8


def a_key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(8)}


def users_of(service: Service) -> str:
    return "/api/admin/users" if service.name == "gapi" else "/internal/accounts"


def a_user() -> dict[str, str]:
    return {"username": f"user-{secrets.token_hex(6)}", "password": "a password of hers", "role": "trader"}


def break_off(account: Account, *, since: timedelta) -> None:
    """As a crash leaves it that came between doing and remembering; the lease was over `since` then."""
    with db.transaction() as session:
        broken = "http_status = NULL, body = NULL, location = NULL, held_until = clock_timestamp() - :since"
        statement = f"UPDATE idempotency_keys SET {broken} WHERE account_id = :account"
        session.execute(text(statement), {"since": since, "account": account.account_id})


def test_a_repeat_gets_the_first_answer_and_does_nothing(service: Service, new_account: Callable[..., Account]) -> None:
    admin, key, user = new_account(Role.ADMIN), a_key(), a_user()
    first, again = (service.send("POST", users_of(service), admin, key, json=user) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert [one.headers.get("Idempotent-Replayed") for one in (first, again)] == [None, "true"]
    assert error_of(service.send("POST", users_of(service), admin, a_key(), json=user))[1] == "INVALID_STATE"


def test_a_repeat_of_an_order_gets_the_first_answer_with_its_location(service: Service, trader: Account) -> None:
    key, order = a_key(), new_order()
    first, again = (service.send("POST", service.orders, trader, key, json=order) for _ in range(2))

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"


def test_both_keys_of_an_order_work_together(gapi: Service, trader: Account) -> None:
    order = new_order()
    first = gapi.send("POST", gapi.orders, trader, a_key(), json=order)
    other_key = a_key()
    for _ in range(2):
        again = gapi.send("POST", gapi.orders, trader, other_key, json=order)
        assert (again.status_code, again.json()) == (202, first.json())
        assert again.headers["Idempotent-Replayed"] == "true"
    changed = gapi.send("POST", gapi.orders, trader, a_key(), json=order | {"side": "SELL"})
    assert error_of(changed)[:2] == (409, "DUPLICATE_ORDER_UNIQUE_KEY")


def test_the_order_of_fields_is_no_other_request(service: Service, trader: Account) -> None:
    key, order = a_key(), new_order()
    for body in (order, dict(reversed(order.items()))):
        answer = service.send("POST", service.orders, trader, key, json=body)
    assert answer.headers["Idempotent-Replayed"] == "true"


def test_a_key_of_another_request_is_refused(service: Service, trader: Account) -> None:
    key, order = a_key(), new_order()
    location = service.send("POST", service.orders, trader, key, json=order).headers["Location"]
    other = service.send("POST", service.orders, trader, key, json=new_order())
    assert error_of(other)[:2] == (409, "IDEMPOTENCY_KEY_REUSED")
    assert error_of(service.send("DELETE", location, trader, key))[:2] == (409, "IDEMPOTENCY_KEY_REUSED")
    assert service.send("GET", location, trader).json()["status"] == "PENDING"


def test_accounts_share_no_keys(service: Service, trader: Account, new_account: Callable[..., Account]) -> None:
    key = a_key()
    made = {
        service.send("POST", service.orders, who, key, json=new_order()).json()["order_id"]
        for who in (trader, new_account())
    }
    assert len(made) == 2


def test_a_refusal_by_the_state_of_things_is_kept_and_one_of_the_request_is_not(
    service: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    admin, key, user = new_account(Role.ADMIN), a_key(), a_user()
    assert service.send("POST", users_of(service), admin, key, json=user | {"role": "king"}).status_code == 400
    assert service.send("POST", users_of(service), admin, key, json=user).status_code == 201

    key = a_key()
    for replayed in (None, "true"):
        refusal = service.send("POST", users_of(service), admin, key, json=user)
        assert error_of(refusal)[:2] == (409, "INVALID_STATE")
        assert refusal.headers.get("Idempotent-Replayed") == replayed


def test_a_repeat_while_the_first_call_is_under_way_is_to_come_again(service: Service, trader: Account) -> None:
    key, order = a_key(), new_order()
    service.send("POST", service.orders, trader, key, json=order)
    break_off(trader, since=timedelta(seconds=-20))
    answer = service.send("POST", service.orders, trader, key, json=order)
    assert error_of(answer) == (409, "IDEMPOTENCY_KEY_IN_USE", {"retry_after_seconds": 1})
    assert answer.headers["Retry-After"] == "1"


def test_what_broke_off_is_done_again_where_twice_is_like_once(service: Service, trader: Account) -> None:
    key, order = a_key(), new_order()
    first = service.send("POST", service.orders, trader, key, json=order)
    break_off(trader, since=timedelta(seconds=1))
    again = service.send("POST", service.orders, trader, key, json=order)
    assert again.json() == first.json()
    assert len(service.send("GET", service.orders, trader).json()["orders"]) == 1


def test_what_broke_off_is_not_done_again_elsewhere(service: Service, new_account: Callable[..., Account]) -> None:
    admin, key, user = new_account(Role.ADMIN), a_key(), a_user()
    service.send("POST", users_of(service), admin, key, json=user)
    break_off(admin, since=timedelta(seconds=1))
    for _ in range(2):
        again = service.send("POST", users_of(service), admin, key, json=user)
        assert error_of(again) == (409, "IDEMPOTENCY_OUTCOME_UNKNOWN", {})


def test_repeats_that_race_are_done_once(service: Service, new_account: Callable[..., Account]) -> None:
    admin, key, user = new_account(Role.ADMIN), a_key(), a_user()
    with ThreadPoolExecutor(RACERS) as threads:
        answers = list(
            threads.map(lambda _: service.send("POST", users_of(service), admin, key, json=user), range(RACERS))
        )
    refused = [error_of(one)[1] for one in answers if one.status_code != 201]
    made = {one.json()["account_id"] for one in answers if one.status_code == 201}
    assert (len(made), set(refused) <= {"IDEMPOTENCY_KEY_IN_USE"}) == (1, True)
    assert service.send("POST", users_of(service), admin, key, json=user).json()["account_id"] in made


def test_a_key_is_kept_for_a_day(service: Service, trader: Account) -> None:
    key = a_key()
    service.send("POST", service.orders, trader, key, json=new_order())
    with db.transaction() as session:
        aged = "UPDATE idempotency_keys SET created_at = created_at - :age WHERE account_id = :account"
        session.execute(text(aged), {"age": timedelta(hours=24, seconds=1), "account": trader.account_id})
    # Whether it was swept by now or not.
    assert service.send("POST", service.orders, trader, key, json=new_order()).status_code in (201, 202)


@pytest.mark.usefixtures("environment")
def test_what_was_kept_for_a_day_is_swept(gapi: Service, trader: Account) -> None:
    for _ in range(2):
        gapi.send("POST", gapi.orders, trader, a_key(), json=new_order())
    assert SWEEPS[Task.FORGET_ANSWERS].run is forget_answers
    forget_answers(utcnow() + timedelta(hours=23, minutes=59))
    assert keys_of(trader) == 2
    forget_answers(utcnow() + timedelta(hours=24, minutes=1))
    assert keys_of(trader) == 0


def keys_of(account: Account) -> int:
    with db.transaction() as session:
        found = "SELECT count(*) FROM idempotency_keys WHERE account_id = :account"
        return int(session.execute(text(found), {"account": account.account_id}).scalar_one())


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "\u00e9"])
def test_a_text_that_is_no_key_is_refused(service: Service, trader: Account, key: str) -> None:
    headers: dict[str, Any] = {"Idempotency-Key": key.encode("latin-1")}
    status, code, details = error_of(service.send("POST", service.orders, trader, headers, json=new_order()))
    assert (status, code, details["field"]) == (400, "INVALID_REQUEST", "Idempotency-Key")


def test_no_operation_whose_answer_holds_a_secret_keeps_answers() -> None:
    for service, operation in KEEPING:
        takes_key = {"$ref": "#/components/parameters/Idempotency-Key"} in operation["parameters"]
        answers = (one for status, one in operation["responses"].items() if status < "300")
        told = {name for one in answers for name in names_in(DOCUMENTS[service], one.get("content", {}))}
        assert not (takes_key and told & SECRETS), operation["operationId"]


def test_every_change_at_the_gateway_takes_a_key_but_for_those_that_answer_with_a_secret() -> None:
    without = {
        operation["operationId"]
        for _path, method, operation in operations("gapi")
        if method != "GET" and {"$ref": "#/components/parameters/Idempotency-Key"} not in operation["parameters"]
    }
    # These answer with a secret; a preview makes nothing; the others are called by no account.
    assert without == {"preview_order", "log_in", "refresh", "add_key", "add_webhook", "roll_webhook_secret"} | {
        "enrol", "confirm_second_factor", "renew_recovery_codes", "take_zerodha_postback", "introspect", "revoke",
    }  # fmt: skip


def names_in(document: dict[str, Any], part: Any) -> set[str]:
    if isinstance(part, list):
        return set().union(*(names_in(document, one) for one in part))
    if not isinstance(part, dict):
        return set()
    whole = resolved(document, part)
    found = set(whole.get("properties", {})) if isinstance(whole.get("properties"), dict) else set()
    return found.union(*(names_in(document, one) for name, one in whole.items() if name != "example"))


def test_a_key_is_refused_where_the_answer_holds_a_secret(gapi: Service, trader: Account) -> None:
    new = {"name": "bot", "scopes": ["orders:read"]}
    refusal = gapi.send("POST", "/api/keys", trader, a_key(), json=new)
    assert error_of(refusal) == (400, "INVALID_REQUEST", {"field": "Idempotency-Key", "rule": "not taken here"})
    assert gapi.send("GET", "/api/keys", trader).json()["keys"] == []


@pytest.mark.usefixtures("environment")
def test_no_password_is_kept(gapi: Service, trader: Account) -> None:
    new, key = "a password nobody guesses", a_key()
    changed = {"current_password": trader.password, "new_password": new}
    assert gapi.send("POST", "/api/auth/password", trader, key, json=changed).status_code == 204
    with db.transaction() as session:
        found = "SELECT CAST(kept AS text) FROM idempotency_keys AS kept WHERE account_id = :account"
        [row] = session.execute(text(found), {"account": trader.account_id}).scalars()
    assert new not in row
    assert trader.password not in row


def test_a_key_on_what_only_reads_changes_nothing(service: Service, trader: Account) -> None:
    key = a_key()
    for _ in range(2):
        assert "Idempotent-Replayed" not in service.send("GET", service.orders, trader, key).headers
