"""What the gateway asks of pulse, and what it makes sure of in the answers."""

import base64
from collections.abc import Collection, Mapping
from typing import Any, cast
from urllib.parse import quote, urlencode

from flask import current_app

from api_contract.errors import NotFound
from api_contract.ids import ACCOUNT_ID, ALARM_ID, ORDER_ID, SLICE_ID
from api_contract.order_rules import BROKER_ACCOUNT, EXCHANGE, INSTRUMENT, UNIQUE_KEY, NewOrder
from api_contract.scopes import GATEWAY, Caller
from api_contract.shapes.alarms import ALARM_QUERY
from api_contract.shapes.instruments import INSTRUMENT_QUERY, NEW_LOAD
from api_contract.shapes.order_requests import NEW_ORDER, ORDER_QUERY, STATED_ORDER
from gapi_app.cells.directory import Cell
from gapi_app.cells.link import Answer, Call
from gapi_app.cells.routing import Router
from gapi_app.errors import UpstreamError

_BROKER_LOGIN_SECONDS = 20.0
_PREVIEW_SECONDS = 8.0


class PulseClient:
    """pulse's `/internal` API, called for one account at a time. Every method raises PulseError."""

    def __init__(self, router: Router) -> None:
        self.router = router

    def place_order(self, who: Caller, new_order: NewOrder) -> Answer:
        """201 with the ids of a new order, 200 with those of an equal one that was made before."""
        answer = self._ask("POST", "/internal/orders", who, {200, 201}, NEW_ORDER.dump(new_order))
        _check_order(answer.body, key=new_order.order_unique_key)
        return answer

    def preview_order(self, who: Caller, new_order: NewOrder) -> dict[str, Any]:
        """What it would be and cost; pulse asks the broker, and waits for it no longer than this waits for pulse."""
        body = STATED_ORDER.dump(new_order)
        path = "/internal/orders/preview"
        return _check_list(self._ask("POST", path, who, {200}, body, patience_seconds=_PREVIEW_SECONDS).body, "slices")

    def list_orders(self, who: Caller, query: Mapping[str, Any]) -> dict[str, Any]:
        return _check_list(
            self._ask("GET", f"/internal/orders?{urlencode(ORDER_QUERY.dump(query))}", who, {200}).body, "orders"
        )

    def order(self, who: Caller, order_id: str) -> dict[str, Any]:
        path = f"/internal/orders/{_known(order_id)}"
        return _check_order(self._ask("GET", path, who, {200}).body, order_id=order_id)

    def order_by_key(self, who: Caller, order_unique_key: str, query: Mapping[str, str]) -> dict[str, Any]:
        path = _by_key(order_unique_key, query)
        return _check_order(self._ask("GET", path, who, {200}).body, key=order_unique_key)

    def cancel_order_by_key(self, who: Caller, order_unique_key: str, query: Mapping[str, str]) -> dict[str, Any]:
        path = _by_key(order_unique_key, query)
        return _check_order(self._ask("DELETE", path, who, {202}).body, key=order_unique_key)

    def slices(self, who: Caller, order_id: str, query: Mapping[str, Any]) -> dict[str, Any]:
        path = with_query(f"/internal/orders/{_known(order_id)}/slices", query)
        return _check_list(self._ask("GET", path, who, {200}).body, "slices")

    def fills(self, who: Caller, order_id: str, query: Mapping[str, Any]) -> dict[str, Any]:
        path = with_query(f"/internal/orders/{_known(order_id)}/fills", query)
        return _check_list(self._ask("GET", path, who, {200}).body, "fills")

    def installation(self, who: Caller) -> dict[str, Any]:
        """What this installation trades, where, and within which limits."""
        return self._ask("GET", "/internal/installation", who, {200}).body

    def policy(self, who: Caller) -> dict[str, Any]:
        """How the caller's orders catch up that do not state it."""
        return self._ask("GET", "/internal/policy", who, {200}).body

    def set_policy(self, who: Caller, stated: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("PUT", "/internal/policy", who, {200}, stated).body

    def limits(self, who: Caller, query: Mapping[str, str]) -> dict[str, Any]:
        """What the caller may do at most."""
        return self._ask("GET", with_query("/internal/limits", query), who, {200}).body

    def market(self, who: Caller, exchange: str, query: Mapping[str, str]) -> dict[str, Any]:
        """The hours of an exchange on one day."""
        if not EXCHANGE.fullmatch(exchange):
            raise NotFound("there is no calendar of this exchange")
        return self._ask("GET", with_query(f"/internal/markets/{exchange}", query), who, {200}).body

    def instruments(self, who: Caller, query: Mapping[str, Any]) -> dict[str, Any]:
        """What the broker lists, a page at a time."""
        path = with_query("/internal/instruments", INSTRUMENT_QUERY.dump(query))
        return _check_list(self._ask("GET", path, who, {200}).body, "instruments")

    def instrument(self, who: Caller, instrument: str, query: Mapping[str, str]) -> dict[str, Any]:
        """One instrument of it."""
        if not INSTRUMENT.fullmatch(instrument):
            raise NotFound("there is no such instrument")
        path = with_query(f"/internal/instruments/{quote(instrument, safe='')}", query)
        return self._ask("GET", path, who, {200}).body

    def instrument_loads(self, who: Caller) -> dict[str, Any]:
        """The latest loads of brokers' lists."""
        return _check_list(self._ask("GET", "/internal/instrument-loads", who, {200}).body, "instrument_loads")

    def load_instruments(self, who: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Have a list loaded."""
        return self._ask("POST", "/internal/instrument-loads", who, {202}, NEW_LOAD.dump(asked)).body

    def broker_accounts(self, who: Caller) -> dict[str, Any]:
        return _check_list(self._ask("GET", "/internal/broker-accounts", who, {200}).body, "broker_accounts")

    def add_broker_account(self, who: Caller, new: Mapping[str, str]) -> dict[str, Any]:
        return self._ask("POST", "/internal/broker-accounts", who, {201}, new).body

    def broker_grants(self, who: Caller, name: str) -> dict[str, Any]:
        """Who may trade with a broker account."""
        return _check_list(self._ask("GET", f"{_broker_account(name)}/grants", who, {200}).body, "grants")

    def change_broker_grant(self, who: Caller, method: str, name: str, account_id: str) -> None:
        """Grant it, or end the grant."""
        if not ACCOUNT_ID.fullmatch(account_id):
            raise NotFound("there is no such account")
        self._ask(method, f"{_broker_account(name)}/grants/{account_id}", who, {204})

    def cancel_order(self, who: Caller, order_id: str) -> dict[str, Any]:
        path = f"/internal/orders/{_known(order_id)}"
        return _check_order(self._ask("DELETE", path, who, {202}).body, order_id=order_id)

    def amend_order(self, who: Caller, order_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change what is stated of an order."""
        path = f"/internal/orders/{_known(order_id)}"
        return _check_order(self._ask("PATCH", path, who, {200}, changes).body, order_id=order_id)

    def act_on_order(
        self, who: Caller, order_id: str, action: str, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Pause or resume an order."""
        path = with_query(f"/internal/orders/{_known(order_id)}/{action}", query or {})
        return _check_order(self._ask("POST", path, who, {202}).body, order_id=order_id)

    def act_on_slice(
        self, who: Caller, order_id: str, slice_id: str, action: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Retry, resolve or settle a slice."""
        if not SLICE_ID.fullmatch(slice_id):
            raise NotFound("there is no such slice")
        path = f"/internal/orders/{_known(order_id)}/slices/{slice_id}/{action}"
        return self._ask("POST", path, who, {202}, body).body

    def list_alarms(self, who: Caller, query: Mapping[str, Any]) -> dict[str, Any]:
        path = f"/internal/alarms?{urlencode(ALARM_QUERY.dump(query))}"
        return _check_list(self._ask("GET", path, who, {200}).body, "alarms")

    def alarm(self, who: Caller, alarm_id: str) -> dict[str, Any]:
        """An alarm with what happened to it."""
        return self._ask("GET", _alarm(alarm_id), who, {200}).body

    def act_on_alarm(
        self, who: Caller, alarm_id: str, action: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Acknowledge or resolve an alarm, or keep a note with it."""
        return self._ask("POST", f"{_alarm(alarm_id)}/{action}", who, {200}, body).body

    def broker_login(self, who: Caller, name: str) -> dict[str, Any]:
        """Who is logged in for a broker account, and until when."""
        return self._ask("GET", f"{_broker_account(name)}/status", who, {200}).body

    def broker_login_address(self, who: Caller, name: str) -> dict[str, Any]:
        """The page of the broker on which a person logs the account in."""
        return self._ask("GET", f"{_broker_account(name)}/login", who, {200}).body

    def log_broker_account_in(self, who: Caller, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Exchange a request token of that page, which takes two calls of the broker."""
        path = f"{_broker_account(name)}/login"
        return self._ask("POST", path, who, {200}, given, patience_seconds=_BROKER_LOGIN_SECONDS).body

    def postback(self, body: bytes) -> None:
        """Forward a broker's postback unchanged; pulse checks its signature."""
        given = {"body": base64.b64encode(body).decode()}
        self.router.ask_until_taken(Call("POST", "/internal/postbacks/zerodha", GATEWAY, {202}, given))

    def check_ready(self) -> None:
        """Raise ServiceUnavailable or another PulseError unless the pulse of some cell is ready."""
        self.router.check_ready()

    def _ask(
        self,
        method: str,
        path: str,
        who: Caller,
        expected: Collection[int],
        body: Mapping[str, Any] | None = None,
        patience_seconds: float | None = None,
        cell: Cell | None = None,
    ) -> Answer:
        """Asked where it belongs, or in the `cell`. `patience_seconds`: the longest wait, by default the settings'."""
        call = Call(method, path, who, expected, body, patience_seconds)
        return self.router.ask(call) if cell is None else self.router.ask_in(cell, call)


def pulse() -> PulseClient:
    """The client of the running app."""
    return cast("PulseClient", current_app.extensions["pulse"])


def _known(order_id: str) -> str:
    if not ORDER_ID.fullmatch(order_id):
        raise NotFound("there is no such order")
    return order_id


def _by_key(order_unique_key: str, query: Mapping[str, str]) -> str:
    if not UNIQUE_KEY.fullmatch(order_unique_key):
        raise NotFound("there is no order with this key")
    return with_query("/internal/orders/by-key", {**query, "order_unique_key": order_unique_key})


def _alarm(alarm_id: str) -> str:
    if not ALARM_ID.fullmatch(alarm_id):
        raise NotFound("there is no such alarm")
    return f"/internal/alarms/{alarm_id}"


def _broker_account(name: str) -> str:
    if not BROKER_ACCOUNT.fullmatch(name):
        raise NotFound("there is no such broker account")
    return f"/internal/broker-accounts/{name}"


def with_query(path: str, query: Mapping[str, Any]) -> str:
    """The path with the query, if there is one."""
    return f"{path}?{urlencode(query)}" if query else path


def _check_order(body: dict[str, Any], key: str | None = None, order_id: str | None = None) -> dict[str, Any]:
    given, given_key = body.get("order_id"), body.get("order_unique_key")
    if not isinstance(given, str) or not isinstance(given_key, str) or not ORDER_ID.fullmatch(given):
        raise UpstreamError("pulse gave an answer without an order")
    if (key or given_key) != given_key or (order_id or given) != given:
        raise UpstreamError("pulse answered about another order")
    return body


def _check_list(body: dict[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(body.get(name), list):
        raise UpstreamError(f"pulse gave an answer without {name}")
    return body
