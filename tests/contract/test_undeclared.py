"""What an operation does not declare is refused, at every operation of both services: nobody's wish is passed over."""

import re
from typing import Any

import pytest

from tests.contract.client import Account, Service, error_of, new_order
from tests.contract.test_matrix import needed, operations
from tests.rigs.fuzz.callers import Caller, caller

CALLS = [(service, path, method, one) for service in ("gapi", "pulse") for path, method, one in operations(service)]
BY_NAME = [f"{service} {operation['operationId']}" for service, _, _, operation in CALLS]
# Its body is the broker's: whatever stands there is passed on.
OF_THE_BROKER = "take_zerodha_postback"
ALLOWED = 3
_callers: dict[tuple[str, str | None], Caller] = {}


def call(
    services: dict[str, Service], name: str, path: str, method: str, operation: dict[str, Any], **more: Any
) -> tuple[int, str, dict[str, Any]]:
    """As somebody who may call it, about something that is not there: what it declares is looked at first."""
    service, needs = services[name], needed(operation)
    if (name, needs) not in _callers:
        _callers[name, needs] = caller(service, needs, ALLOWED)
    who = _callers[name, needs]
    headers = {"If-Match": "*"} if operation["operationId"] == "amend_order" else {}
    return error_of(service.send(method, re.sub("{[^}]+}", "x", path), headers=headers, auth=who, **more))


@pytest.mark.parametrize(("name", "path", "method", "operation"), CALLS, ids=BY_NAME)
def test_a_name_that_is_not_declared_is_refused_in_every_query(
    services: dict[str, Service],
    name: str,
    path: str,
    method: str,
    operation: dict[str, Any],
) -> None:
    body = {"json": {}} if "requestBody" in operation else {}
    needed_in_query = (
        one for one in operation.get("parameters", ()) if one.get("in") == "query" and one.get("required")
    )
    params = {"dry_run": "true"} | {one["name"]: "x" for one in needed_in_query}
    refusal = call(services, name, path, method, operation, params=params, **body)
    assert refusal == (400, "INVALID_REQUEST", {"field": "dry_run", "rule": "Unknown field."})


@pytest.mark.parametrize(("name", "path", "method", "operation"), CALLS, ids=BY_NAME)
def test_a_field_that_is_not_declared_is_refused_in_every_body(
    services: dict[str, Service],
    name: str,
    path: str,
    method: str,
    operation: dict[str, Any],
) -> None:
    if operation["operationId"] == OF_THE_BROKER and name == "gapi":
        return
    status, code, details = call(services, name, path, method, operation, json={"only": "unsent"})
    assert (status, code) == (400, "INVALID_REQUEST")
    # The body of a GET is not read.
    named = "body" if method == "GET" else "only"
    assert named in {details.get("field"), *details.get("fields", ())}


def test_an_order_that_was_only_to_be_tried_is_not_placed(service: Service, trader: Account) -> None:
    answer = service.send("POST", f"{service.orders}?dry_run=true", trader, json=new_order())
    assert error_of(answer) == (400, "INVALID_REQUEST", {"field": "dry_run", "rule": "Unknown field."})
    assert service.send("GET", service.orders, trader).json()["orders"] == []


def test_a_cancel_that_asks_for_a_part_cancels_nothing(service: Service, trader: Account) -> None:
    location = service.place(trader).headers["Location"]
    assert error_of(service.send("DELETE", location, trader, json={"only": "unsent"}))[0] == 400
    assert service.send("GET", location, trader).json()["status"] == "PENDING"


@pytest.mark.parametrize("body", [b"only=unsent", b"[]", b"null", b" ", b"\xff", b'{"only": '])
def test_a_body_that_is_no_object_is_refused_where_none_is_taken(
    service: Service, trader: Account, body: bytes
) -> None:
    location = service.place(trader).headers["Location"]
    refusal = error_of(service.send("DELETE", location, trader, data=body))
    assert refusal == (400, "INVALID_REQUEST", {"field": "body", "rule": "no body"})


def test_an_empty_object_says_nothing_and_is_as_good_as_no_body(service: Service, trader: Account) -> None:
    location = service.place(trader).headers["Location"]
    assert service.send("DELETE", location, trader, json={}).status_code == 202


def test_who_may_not_call_learns_that_first(service: Service, trader: Account) -> None:
    location = service.place(trader).headers["Location"]
    assert error_of(service.send("POST", f"{location}/slices/x/retry?dry_run=true", trader))[0] == 403
