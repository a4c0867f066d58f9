"""Things that really are there, put into cases in place of what was made up, so that many of them go through."""

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from schemathesis import Case
from sqlalchemy import text
from sqlalchemy.orm import Session

from api_contract.scopes import Scope
from api_contract.vocabulary import HaltedWorking
from gapi_app.cells.directory import NAME, ONLY
from gapi_app.cells.naming import HEADER
from pulse_core import db
from pulse_core.broker_accounts import login
from pulse_core.brokers.zerodha.postback import postback_checksum
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.events import webhooks
from pulse_core.identity import api_keys, second_factor, sessions
from pulse_core.identity.proof import NO_PROOF
from pulse_core.owner import OneAccount
from pulse_core.trading.halts.halting import halt
from pulse_core.trading.order import halted, pause
from pulse_core.trading.store.halts import HaltScope
from tests.contract.client import Account
from tests.contract.conftest import make_account
from tests.support.factories import a_split_order, an_alarm, an_order, order, slices_of
from tests.support.second_factors import Phone, a_phone

PASSWORD = "another password of hers"
HALTED = "NSE:NOBODYTRADESTHIS"
PUBLIC_URL = "https://93.184.216.34/events"
_SLICE_STATUS = {"retry_slice": "FAILED", "resolve_slice": "UNKNOWN", "settle_slice": "UNKNOWN"}

Body = dict[str, Any]


def put_real_things_in(case: Case, operation_id: str, account: Account) -> None:
    """Replace ids, secrets and what has to fit together by what is there or does; everything else stays."""
    _end_halts()
    if case.path_parameters:
        case.path_parameters = dict(case.path_parameters) | _path_parameters(case, operation_id, account)
    if "order_unique_key" in (case.query or {}) and operation_id.endswith("_by_query"):
        case.query = dict(case.query) | _keyed(account)
    for name in ("cursor", "account_id", "after", "last_event_id"):
        (case.query or {}).pop(name, None)
    if operation_id == "amend_order" and case.headers is not None:
        case.headers["If-Match"] = "*"
    if case.headers is not None:
        case.headers.pop("Last-Event-ID", None)
        if NAME.fullmatch(case.headers.get(HEADER, "")):
            case.headers[HEADER] = ONLY
    if operation_id in _BODIES and isinstance(case.body, dict):
        case.body = _BODIES[operation_id](dict(case.body), account)


def _path_parameters(case: Case, operation_id: str, account: Account) -> dict[str, str]:
    names = case.path_parameters or {}
    real: dict[str, str] = {}
    if "order_id" in names:
        real |= _order(operation_id, account)
    if "order_unique_key" in names:
        real |= _keyed(account)
    if "key_id" in names:
        owner = make_account() if operation_id == "revoke_any_key" else account
        real["key_id"] = _key(owner).key.id
    if "webhook_id" in names:
        real["webhook_id"] = _webhook(make_account() if "_any_" in operation_id else account)
    if "alarm_id" in names:
        real["alarm_id"] = an_alarm(slices_of(a_split_order())[0])
    if "halt_id" in names:
        real["halt_id"] = _halt(account)
    if "name" in names:
        real["name"] = "paper"
    if "account_id" in names:
        real["account_id"] = make_account().account_id
    return {name: value for name, value in real.items() if name in names}


def _end_halts() -> None:
    """Whatever other cases have halted: these need orders."""
    with db.transaction() as session:
        session.execute(
            text(
                "UPDATE halts SET released_at = now(), release_asked_at = now(), release_asked_by = 'fuzz'"
                " WHERE released_at IS NULL"
            )
        )
    halted.forget()


def _halt(account: Account) -> str:
    owner, scope = OneAccount(account.account_id), HaltScope(instrument=HALTED)
    return halt(owner, scope, HaltedWorking.KEEP, "lunch", account.account_id, utcnow())[0].halt_id


def _new_halt(body: Body, _account: Account) -> Body:
    """Of what nobody trades: the other cases go on."""
    return {name: one for name, one in body.items() if name in ("reason", "working")} | {"instrument": HALTED}


def _keyed(account: Account) -> dict[str, str]:
    return {"order_unique_key": order(an_order(utcnow(), account.account_id)).order_unique_key}


def _webhook(account: Account) -> str:
    """One that has taken an event."""
    made = webhooks.add_webhook(account.account_id, PUBLIC_URL, utcnow()).webhook.id
    with db.transaction() as session:
        taken = text("UPDATE webhooks SET verified_at = now(), delivered_sequence = 1 WHERE id = :id")
        session.execute(taken, {"id": made})
    return made


def _order(operation_id: str, account: Account) -> dict[str, str]:
    who, now = account.account_id, utcnow()
    if operation_id in ("pause_order", "resume_order", "amend_order"):
        order_id = a_split_order(now, who)
        if operation_id == "resume_order":
            pause.pause_order(OneAccount(who), order_id, who, now)
        return {"order_id": order_id}
    if operation_id not in _SLICE_STATUS:
        return {"order_id": an_order(now, who)}
    order_id = a_split_order(now, who)
    slice_id = slices_of(order_id)[0].id
    with db.transaction() as session:
        statement = text("UPDATE order_slices SET status = :status, resolve_at = now() WHERE id = :id")
        session.execute(statement, {"status": _SLICE_STATUS[operation_id], "id": slice_id})
        if operation_id == "settle_slice":
            _send_long_ago(session, slice_id)
    return {"order_id": order_id, "slice_id": slice_id}


def _send_long_ago(session: Session, slice_id: str) -> None:
    """So that no book of the broker can tell what became of it."""
    sent_at = utcnow() - timedelta(days=3)
    made = """INSERT INTO placements (client_order_id, slice_id, attempt, quantity, broker, claimed_at)
        SELECT right(id, 20), id, 1, quantity, 'paper', :sent_at FROM order_slices WHERE id = :id"""
    sent = "UPDATE order_slices SET attempts = 1, client_order_id = right(id, 20), sent_at = :sent_at WHERE id = :id"
    for statement in (made, sent):
        session.execute(text(statement), {"id": slice_id, "sent_at": sent_at})


def _settlement(body: Body, _account: Account) -> Body:
    if body.get("absent"):
        return body | {"filled": None, "price": None, "reason": "not in the tradebook"}
    return body | {"filled": 5, "price": "2500.05", "absent": False, "reason": "contract note"}


def _key(account: Account) -> api_keys.NewKey:
    return api_keys.add_key(account.account_id, "bot", [Scope.ORDERS_READ], 30, utcnow())


def _new_order(body: Body, _account: Account) -> Body:
    is_limit = body.get("order_type") == "LIMIT"
    fitting = {
        "order_unique_key": f"key-{secrets.token_hex(8)}",
        "instrument": "NSE:" + body["instrument"].partition(":")[2],
        "total_quantity": max(body["total_quantity"], body["split_config"]["num_splits"]),
        "limit_price": "1402.35" if is_limit else None,
        "start_at": None,
        "broker_account": None if body.get("broker_account") is None else "paper",
        **({"plan_token": None} if "plan_token" in body else {}),
    }
    return body | fitting | {"client_note": "".join(filter(str.isprintable, body.get("client_note") or ""))}


def _credentials(body: Body, _account: Account) -> Body:
    account = make_account()
    return _without_proof(body) | {"username": account.username, "password": account.password}


def _without_proof(body: Body) -> Body:
    return {name: one for name, one in body.items() if name not in ("totp_code", "recovery_code")}


def _with_password(body: Body, account: Account) -> Body:
    return _without_proof(body) | {"password": account.password}


def _with_code(body: Body, account: Account) -> Body:
    """With a code of a second factor that is on."""
    now = utcnow()
    return _with_password(body, account) | {"totp_code": a_phone(account.account_id, now).code(now)}


def _first_code(body: Body, account: Account) -> Body:
    """Of a second factor that was offered."""
    now = utcnow()
    offered = second_factor.enrol(account.account_id, account.password, NO_PROOF, None, now)
    return body | {"totp_code": Phone(offered.secret).code(now)}


def _login_at_the_broker(body: Body, _account: Account) -> Body:
    """With a request token, as the broker's login page gives one."""
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(login.login_address("paper"), allow_redirects=False, timeout=5)
    token = parse_qs(urlsplit(page.headers["Location"]).query)["request_token"][0]
    return body | {"request_token": token, "user": "PAPER1"}


def _refresh_token(body: Body, _account: Account) -> Body:
    account = make_account()
    login = sessions.log_in(account.username, account.password, None, utcnow())
    return body | {"refresh_token": login.refresh_token}


def _new_user(body: Body, _account: Account) -> Body:
    return body | {"username": f"user-{secrets.token_hex(6)}", "password": PASSWORD}


def _news(**changes: str) -> Body:
    order_id, at = "2611230000000000001", "2026-11-23 11:30:00"
    secret = settings().kite_api_secret.get_secret_value()
    stated = {"order_id": order_id, "order_timestamp": at, "checksum": postback_checksum(order_id, at, secret)}
    return stated | changes


def _amendment(body: Body, _account: Account) -> Body:
    fitting = {"total_quantity": 90, "duration_minutes": 50, "client_note": "less"}
    return {name: fitting[name] for name in body if name in fitting} or {"total_quantity": 90}


_BODIES: Mapping[str, Callable[[Body, Account], Body]] = {
    "place_order": _new_order,
    "halt_trading": _new_halt,
    "preview_order": _new_order,
    "log_in": _credentials,
    "log_broker_account_in": _login_at_the_broker,
    "refresh": _refresh_token,
    "change_password": lambda body, account: (
        _without_proof(body) | {"current_password": account.password, "new_password": PASSWORD}
    ),
    "add_key": lambda body, account: (
        _with_password(body, account) | {"name": "bot", "scopes": ["orders:read"], "networks": []}
    ),
    "enrol": _with_password,
    "confirm_second_factor": _first_code,
    "renew_recovery_codes": _with_code,
    "disable_second_factor": _with_code,
    "settle_slice": _settlement,
    "amend_order": _amendment,
    "add_webhook": lambda body, _: body | {"url": PUBLIC_URL},
    "redeliver_event": lambda body, _: body | {"event_id": 1},
    "add_broker_account": lambda _body, _account: {"name": f"kite-{secrets.token_hex(6)}", "broker": "zerodha"},
    "add_user": _new_user,
    "add_account": _new_user,
    "change_user": lambda body, _: body | ({"password": PASSWORD} if "password" in body else {}),
    "change_account": lambda body, _: body | ({"password": PASSWORD} if "password" in body else {}),
    "revoke": lambda body, _: (
        {name: one for name, one in body.items() if name == "actor"} | {"account_id": make_account().account_id}
    ),
    "poll_events": lambda body, _: body | {"after": {make_account().account_id: None}},
    "name_holder": lambda body, _: {"api_key": _key(make_account()).text},
    "take_zerodha_postback": lambda body, _: (
        {"body": base64.b64encode(json.dumps(_news()).encode()).decode()} if "body" in body else _news()
    ),
}
