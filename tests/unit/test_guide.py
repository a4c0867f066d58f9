"""The tables of the guide say what the code says: errors, roles, statuses, events, limits."""

import re
from datetime import timedelta

import gapi_app
import pulse_core.config
from api_contract import account_rules, body, order_rules
from api_contract.account_rules import LONGEST_KEY_LIFE_DAYS
from api_contract.errors import HTTP_STATUS
from api_contract.scopes import ADMINISTERS, SCOPES, Scope
from api_contract.shapes.events import ORDER_EVENTS_QUERY
from api_contract.shapes.order_requests import ORDER_QUERY, NewOrderSchema, TermsSchema
from api_contract.vocabulary import HoldReason, OrderStatus, SliceStatus, WebhookStatus
from gapi_app.config import Settings
from gapi_app.openapi import SPECIFICATION
from pulse_core.events import delivery, webhooks
from pulse_core.events.names import EventKind, event_type
from pulse_core.identity import api_keys, login_throttle, sessions
from tests.unit.test_docs import CODE, DOCS, tables

GUIDE = DOCS / "api.md"


def rows(heading: str, number: int = 0) -> list[list[str]]:
    """A table under a heading, the first unless said otherwise."""
    return [found for where, found in tables(GUIDE) if where == heading][number]


def words(heading: str, number: int = 0) -> list[str]:
    """The code words in the first column of a table."""
    return [word for row in rows(heading, number) for word in CODE.findall(row[0])]


def test_every_operation_that_clients_may_call_is_spoken_of() -> None:
    page = GUIDE.read_text()
    # Postbacks are the broker's.
    paths = [path for path in gapi_app.openapi()["paths"] if path.startswith("/api/") and "postbacks" not in path]
    assert [path for path in paths if not re.search(re.sub("{[^}]+}", "[^/\\\\s]+", path) + r"(?![\w/-])", page)] == []


def test_every_error_code_stands_with_its_status() -> None:
    documented = {code: int(status) for status, codes, _ in rows("Errors") for code in CODE.findall(codes)}
    assert documented == {code: HTTP_STATUS[code] for code in SPECIFICATION.codes}


def test_every_status_is_explained() -> None:
    assert set(words("How an order ends")) == set(OrderStatus)
    assert words("How an order ends", 1) == ["filled", "working", "on_its_way", "unknown", "unsent"]
    assert {word for row in rows("How an order ends", 2)[:1] for word in CODE.findall(row[1])} == set(HoldReason)
    assert set(words("How an order ends", 3)) == set(SliceStatus)


def test_every_status_of_a_webhook_means_what_it_means_in_the_code() -> None:
    assert rows("Webhooks") == [[status.value, status.meaning] for status in WebhookStatus]


def test_every_field_of_an_order_and_of_a_listing_is_explained() -> None:
    required = [name for name, field in NewOrderSchema().fields.items() if field.required]
    parts = {word.partition(".")[0] for word in words("Place an order")}
    assert parts == set(required)
    assert set(words("Optional terms")) >= TermsSchema().fields.keys()
    assert set(words("Find orders")) == ORDER_QUERY.fields.keys()


def test_every_type_of_event_is_explained() -> None:
    moves = {event_type(EventKind.MOVE, None, to) for to in OrderStatus}
    moves |= {event_type(EventKind.MOVE, "sl_1", to) for to in SliceStatus}
    others = {event_type(kind, slice_id, None) for kind in EventKind if kind != "MOVE" for slice_id in (None, "sl_1")}
    documented = set(words("Live events"))
    assert moves < documented
    # A fill and a call at the broker are of a slice, a hold and its release of an order.
    never = {"order.fill", "order.broker_call", "slice.held", "slice.released"}
    assert documented - moves - {"scheduled"} == others - never


def test_every_role_may_what_the_table_says() -> None:
    assert set(words("API keys, for programs")) == set(Scope)
    roles = ["viewer", "trader", "operator", "admin"]
    assert set(roles) == SCOPES.keys()
    for deed, *may in rows("Roles"):
        allowed = {role for role, word in zip(roles, may, strict=True) if word == "yes"}
        for scope in set(CODE.findall(deed)) & set(Scope):
            assert allowed == {role for role, scopes in SCOPES.items() if scope in scopes}
        if "/api/admin" in deed:
            assert allowed == ADMINISTERS


def test_every_limit_is_that_of_the_code() -> None:
    default = {name: field.default for name, field in Settings.model_fields.items()}
    core = {name: field.default for name, field in pulse_core.config.Settings.model_fields.items()}
    per_minute = {name: f"{str(value).removesuffix('/minute')} a minute" for name, value in default.items()}
    assert dict(rows("Limits")) == {
        "requests of an account": per_minute["pulse_rate_limit_account"],
        "new orders of an account, counted separately": per_minute["pulse_rate_limit_orders"],
        "an account's own limit, where an admin has set one": "{} to {} requests a minute".format(
            *account_rules.REQUESTS_PER_MINUTE
        ),
        "requests from an address without a valid token, logins included": per_minute["pulse_rate_limit_address"],
        "failed logins before further ones are delayed": (
            f"{login_throttle.FREE_IN_NETWORK} for a username from one network,"
            f" {login_throttle.FREE_FOR_ADDRESS} for an address"
        ),
        "requests of an account at once": f"{default['pulse_requests_at_once']} of each kind",
        "open orders of an account": str(core["open_orders_per_account"]),
        "unsent slices of an account": str(core["open_slices_per_account"]),
        "open event streams": "{pulse_streams_per_account} for an account, {pulse_streams} in all".format(**default),
        "body of a request": f"{body.MAX_BODY_BYTES // 1024} KiB",
        "time to send a request": f"{default['pulse_request_timeout']:.0f} s",
        "shares of an order": str(order_rules.MAX_QUANTITY),
        "slices of an order": f"{order_rules.MIN_SPLITS} to {order_rules.MAX_SPLITS}",
        "window of an order": f"{order_rules.MIN_MINUTES} to {order_rules.MAX_MINUTES} minutes,"
        f" beginning within {order_rules.FARTHEST_START.days} days",
        "orders on a page": str(ORDER_QUERY.fields["limit"].validate.max),
        "events on a page": str(ORDER_EVENTS_QUERY.fields["limit"].validate.max),
        "API keys": f"{api_keys.MOST_LIVE_KEYS} for an account, each for {LONGEST_KEY_LIFE_DAYS} days at most",
        "webhooks": f"{webhooks.MOST_OF_ACCOUNT} for an account, {delivery.BATCH} events in a delivery",
        "access token": f"{default['pulse_access_token_lifetime'] // 60} minutes",
        "login": f"{sessions.LIFETIME // timedelta(hours=1)} hours",
    }
