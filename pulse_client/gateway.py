"""The public API as methods. Orders may be repeated as well as questions: their unique key makes one of them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from api_contract.vocabulary import WebhookFeed
from pulse_client.errors import NotReachable, Refused
from pulse_client.models import (
    AccessToken,
    Alarm,
    AlarmEventPage,
    AlarmHistory,
    AlarmPage,
    Answer,
    Delivery,
    DeliveryPage,
    Enrolment,
    Event,
    EventPage,
    Fill,
    FillPage,
    Installation,
    MadeWebhook,
    Market,
    Me,
    Order,
    OrderPage,
    OrderSnapshot,
    Placed,
    RecoveryCodes,
    SecondFactor,
    Slice,
    SliceList,
    Webhook,
    WebhookList,
    WebhookPage,
)
from pulse_client.new_order import NewOrder
from pulse_client.stream import data_of
from pulse_client.transport import Request, Response, Transport

RECONNECT_SECONDS = 1.0
_SECOND_FACTOR, _CODE_NEEDED = "/api/auth/second-factor", "SECOND_FACTOR_REQUIRED"

_A = TypeVar("_A", bound=Answer)


@dataclass(frozen=True)
class Credentials:
    """`ask_code` gives the code of the second factor, when a login takes one: six digits, or a recovery code."""

    username: str
    password: str = field(repr=False)
    ask_code: Callable[[], str] | None = field(default=None, repr=False)


class Gateway:
    """Acts for one account, by its credentials or by an access token. Every method raises GatewayError.

    With credentials it logs in when it has to, so that a long watch outlives its tokens.
    """

    def __init__(self, url: str, identity: Credentials | str, say: Callable[[str], None] = lambda _line: None) -> None:
        self._transport = Transport(url, say)
        self._credentials = identity if isinstance(identity, Credentials) else None
        self._token = identity if isinstance(identity, str) else None
        self._refresh_token: str | None = None

    @property
    def url(self) -> str:
        return self._transport.url

    def log_in(self) -> AccessToken:
        """A fresh access token. With a token in place of credentials there is nothing to log in with."""
        assert self._credentials is not None, "needs credentials"  # noqa: S101
        body = {"username": self._credentials.username, "password": self._credentials.password}
        try:
            return self._tokens("/api/auth/login", body)
        except Refused as refused:
            if refused.code != _CODE_NEEDED or self._credentials.ask_code is None:
                raise
            return self._tokens("/api/auth/login", body | _proof(self._credentials.ask_code()))

    def place(self, order: NewOrder) -> Placed:
        """Place the order, or find the one placed before under the same unique key."""
        answer = self._ask(Request("POST", "/api/orders", body=order))
        is_replay = answer.headers.get("Idempotent-Replayed") == "true"
        return self._read(Placed, answer).model_copy(update={"replayed": is_replay})

    def me(self) -> Me:
        """Whom the token speaks for, and what it may do."""
        return self._read(Me, self._ask(Request("GET", "/api/me")))

    def second_factor(self) -> SecondFactor:
        """Whether the account has a second factor, and how many recovery codes are left."""
        return self._read(SecondFactor, self._ask(Request("GET", _SECOND_FACTOR)))

    def enrol(self, password: str, code: str | None = None) -> Enrolment:
        """Begin with a second factor; with a `code`, with a new one in place of that which is on."""
        body = {"password": password} | _proof(code)
        return self._read(Enrolment, self._ask(Request("POST", _SECOND_FACTOR, body=body, key=None)))

    def confirm_second_factor(self, totp_code: str) -> list[str]:
        """Turn it on by a first code. Ends every login; keep the recovery codes."""
        return self._recovery_codes("confirm", {"totp_code": totp_code})

    def renew_recovery_codes(self, password: str, code: str) -> list[str]:
        """New recovery codes in place of all that were left."""
        return self._recovery_codes("recovery-codes", {"password": password} | _proof(code))

    def disable_second_factor(self, password: str, code: str) -> None:
        """Let the password alone be enough again. Ends every login."""
        self._ask(Request("POST", f"{_SECOND_FACTOR}/disable", body={"password": password} | _proof(code)))

    def installation(self) -> Installation:
        """What is traded, where, and within which limits."""
        return self._read(Installation, self._ask(Request("GET", "/api/installation")))

    def market(self, exchange: str, day: date | None = None) -> Market:
        """The hours of an exchange on a day by the Indian date, today without one, and its next session."""
        query = {"day": None if day is None else day.isoformat()}
        return self._read(Market, self._ask(Request("GET", f"/api/markets/{quote(exchange, safe='')}", query=query)))

    def order(self, order_id: str) -> OrderSnapshot:
        return self._read(OrderSnapshot, self._ask(Request("GET", _path(order_id))))

    def order_by_key(self, order_unique_key: str, account_id: str | None = None) -> OrderSnapshot:
        """The order with this key, of another account for operators and admins."""
        path = f"/api/orders/by-key/{quote(order_unique_key, safe='')}"
        return self._read(OrderSnapshot, self._ask(Request("GET", path, query={"account_id": account_id})))

    def slices(self, order_id: str) -> list[Slice]:
        """The slices in the order of their times; none before the order is split."""
        return self.slice_list(order_id).slices

    def slice_list(self, order_id: str, changed_after: int | None = None) -> SliceList:
        """The slices, or those that have changed after this event, with the last event that they show."""
        query = {"changed_after": changed_after}
        return self._read(SliceList, self._ask(Request("GET", f"{_path(order_id)}/slices", query=query)))

    def fill_page(self, order_id: str, limit: int = 100, cursor: str | None = None) -> FillPage:
        """Up to `limit` trades of an order."""
        query = {"limit": limit, "cursor": cursor}
        return self._read(FillPage, self._ask(Request("GET", f"{_path(order_id)}/fills", query=query)))

    def fills(self, order_id: str, limit: int = 500) -> Iterator[Fill]:
        """Every trade of an order, asked for in pages of `limit`."""
        page = self.fill_page(order_id, limit)
        yield from page.fills
        while page.next_cursor is not None:
            page = self.fill_page(order_id, limit, page.next_cursor)
            yield from page.fills

    def page(self, filters: Mapping[str, Any], limit: int, cursor: str | None = None) -> OrderPage:
        """Up to `limit` orders, newest first.

        The filters are those of the API; None leaves one out, and a status may be several, separated by commas.
        """
        query = {**filters, "limit": limit, "cursor": cursor}
        return self._read(OrderPage, self._ask(Request("GET", "/api/orders", query=query)))

    def pages(self, filters: Mapping[str, Any], limit: int, cursor: str | None = None) -> Iterator[OrderPage]:
        """Every page from the cursor on."""
        while True:
            page = self.page(filters, limit, cursor)
            yield page
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    def cancel(self, order_id: str) -> Order:
        """Cancel what is not filled; repeating it is harmless."""
        return self._read(Order, self._ask(Request("DELETE", _path(order_id))))

    def pause(self, order_id: str) -> Order:
        """Send nothing new of it until it is resumed; repeating it is harmless."""
        return self._read(Order, self._ask(Request("POST", f"{_path(order_id)}/pause")))

    def resume(self, order_id: str) -> Order:
        """Let a paused order go on; repeating it is harmless."""
        return self._read(Order, self._ask(Request("POST", f"{_path(order_id)}/resume")))

    def event_page(self, order_id: str, after: int = 0, limit: int = 100) -> EventPage:
        """Up to `limit` events of an order, those after the event with the id `after`."""
        query = {"format": "json", "after": after, "limit": limit}
        return self._read(EventPage, self._ask(Request("GET", f"{_path(order_id)}/events", query=query)))

    def events(self, order_id: str, after: int = 0, limit: int = 500) -> Iterator[Event]:
        """Everything that has happened to an order after this event, asked for in pages of `limit`."""
        next_after: int | None = after
        while next_after is not None:
            page = self.event_page(order_id, next_after, limit)
            yield from page.events
            next_after = page.next_after

    def follow(self, order_id: str, after: int = 0) -> Iterator[Event]:
        """Everything that has happened to an order after this event, and what happens next, until it has ended.

        A stream that is cut is opened again where it was.
        """
        while True:
            # Asked first: when it has ended, the pages tell all of it.
            has_ended = self.order(order_id).is_final
            for event in self.events(order_id, after):
                yield event
                after = event.event_id
            if has_ended:
                return
            for event in self._live(order_id, after):
                yield event
                after = event.event_id
                if event.is_end:
                    break
            else:
                time.sleep(RECONNECT_SECONDS)

    def account_event_page(self, after: int = 0, limit: int = 100, account_id: str | None = None) -> EventPage:
        """Up to `limit` events of all orders of the account, or of another one for operators and admins."""
        query = {"format": "json", "after": after, "limit": limit, "account_id": account_id}
        return self._read(EventPage, self._ask(Request("GET", "/api/events", query=query)))

    def account_events(self, after: int = 0, limit: int = 500, account_id: str | None = None) -> Iterator[Event]:
        """Everything that has happened to an account's orders after this event, asked for in pages of `limit`."""
        next_after: int | None = after
        while next_after is not None:
            page = self.account_event_page(next_after, limit, account_id)
            yield from page.events
            next_after = page.next_after

    def follow_account(self, after: int, account_id: str | None = None) -> Iterator[Event]:
        """Everything that happens to an account's orders after this event, each once and in order, without an end.

        A stream that is cut is opened again where it was. The numbers have no gap: when one is missing, what was
        missed is read before anything else is given. Begin with the `last_event_id` of what was read before.
        """
        while True:
            for event in self._live_of_account(after, account_id):
                if event.event_id > after + 1:
                    break
                if event.event_id == after + 1:
                    yield event
                    after = event.event_id
            else:
                time.sleep(RECONNECT_SECONDS)
            for event in self.account_events(after, account_id=account_id):
                yield event
                after = event.event_id

    def alarms(self, filters: Mapping[str, Any], limit: int = 50, cursor: str | None = None) -> AlarmPage:
        """Up to `limit` alarms, the latest first; for operators and admins. The filters are those of the API."""
        query = {**filters, "limit": limit, "cursor": cursor}
        return self._read(AlarmPage, self._ask(Request("GET", "/api/alarms", query=query)))

    def alarm(self, alarm_id: str) -> AlarmHistory:
        """One alarm, and what happened to it."""
        return self._read(AlarmHistory, self._ask(Request("GET", _alarm_path(alarm_id))))

    def alarm_events(self, after: int = 0, limit: int = 100) -> AlarmEventPage:
        """Up to `limit` events of all alarms, those after the event with the id `after`."""
        query = {"format": "json", "after": after, "limit": limit}
        return self._read(AlarmEventPage, self._ask(Request("GET", "/api/alarms/events", query=query)))

    def acknowledge_alarm(self, alarm_id: str) -> Alarm:
        """Take an open alarm on; repeating it is harmless."""
        return self._read(Alarm, self._ask(Request("POST", f"{_alarm_path(alarm_id)}/acknowledge")))

    def resolve_alarm(self, alarm_id: str) -> Alarm:
        """Say that the cause of an alarm is dealt with; repeating it is harmless."""
        return self._read(Alarm, self._ask(Request("POST", f"{_alarm_path(alarm_id)}/resolve")))

    def note_alarm(self, alarm_id: str, note: str) -> Alarm:
        """Keep a note with an alarm, in place of the one before; repeating it is harmless."""
        body = {"note": note}
        return self._read(Alarm, self._ask(Request("POST", f"{_alarm_path(alarm_id)}/note", body=body)))

    def webhooks(self) -> list[Webhook]:
        """The account's webhooks, the oldest first."""
        return self._read(WebhookList, self._ask(Request("GET", "/api/webhooks"))).webhooks

    def add_webhook(
        self, url: str, feed: WebhookFeed = WebhookFeed.ORDERS, types: Sequence[str] | None = None
    ) -> MadeWebhook:
        """Have what happens from now on posted there: all of it, or events of these types. Keep the secret."""
        body = {"url": url, "feed": feed.value, "types": None if types is None else list(types)}
        return self._read(MadeWebhook, self._ask(Request("POST", "/api/webhooks", body=body)))

    def enable_webhook(self, webhook_id: str) -> Webhook:
        """Try a webhook again at once, from where it stopped."""
        return self._read(Webhook, self._ask(Request("POST", f"{_webhook_path(webhook_id)}/enable")))

    def disable_webhook(self, webhook_id: str) -> Webhook:
        """Post nothing there until it is enabled again; repeating it is harmless."""
        return self._read(Webhook, self._ask(Request("POST", f"{_webhook_path(webhook_id)}/disable")))

    def remove_webhook(self, webhook_id: str) -> None:
        """Post nothing there any more."""
        self._ask(Request("DELETE", _webhook_path(webhook_id)))

    def roll_webhook_secret(self, webhook_id: str, overlap_seconds: int = 86_400) -> MadeWebhook:
        """Make a new secret; the one before signs too for so long."""
        body = {"overlap_seconds": overlap_seconds}
        return self._read(MadeWebhook, self._ask(Request("POST", f"{_webhook_path(webhook_id)}/secret", body=body)))

    def test_webhook(self, webhook_id: str) -> Delivery:
        """Have a test event posted, once; `deliveries` tell what came of it."""
        return self._read(Delivery, self._ask(Request("POST", f"{_webhook_path(webhook_id)}/test")))

    def redeliver(self, webhook_id: str, event_id: int) -> Delivery:
        """Have one event that was delivered posted once more; `deliveries` tell what came of it."""
        body = {"event_id": event_id}
        return self._read(Delivery, self._ask(Request("POST", f"{_webhook_path(webhook_id)}/redeliver", body=body)))

    def deliveries(self, webhook_id: str, limit: int = 50, cursor: str | None = None) -> DeliveryPage:
        """Up to `limit` deliveries to a webhook, the latest first."""
        query = {"limit": limit, "cursor": cursor}
        path = f"{_webhook_path(webhook_id)}/deliveries"
        return self._read(DeliveryPage, self._ask(Request("GET", path, query=query)))

    def all_webhooks(self, account_id: str | None = None, limit: int = 50, cursor: str | None = None) -> WebhookPage:
        """Up to `limit` webhooks of everybody or of one account, newest first; for admins."""
        query = {"account_id": account_id, "limit": limit, "cursor": cursor}
        return self._read(WebhookPage, self._ask(Request("GET", "/api/admin/webhooks", query=query)))

    def _live(self, order_id: str, after: int) -> Iterator[Event]:
        request = Request("GET", f"{_path(order_id)}/events", query={"last_event_id": after}, is_stream=True)
        for data in data_of(self._ask(request)):
            yield self._parse(Event, data)

    def _live_of_account(self, after: int, account_id: str | None) -> Iterator[Event]:
        query = {"last_event_id": after, "account_id": account_id}
        for data in data_of(self._ask(Request("GET", "/api/events", query=query, is_stream=True))):
            yield self._parse(Event, data)

    def _ask(self, request: Request) -> Response:
        if self._token is None:
            self.log_in()
        try:
            return self._transport.send(request, self._token)
        except Refused as refused:
            if refused.status != 401 or self._credentials is None:
                raise
        self._renew()
        return self._transport.send(request, self._token)

    def _renew(self) -> None:
        # Where a login takes a code, nobody may be there to be asked for one.
        if self._refresh_token is not None:
            try:
                self._tokens("/api/auth/refresh", {"refresh_token": self._refresh_token})
            except Refused:
                self._refresh_token = None
            else:
                return
        self.log_in()

    def _tokens(self, path: str, body: Mapping[str, str]) -> AccessToken:
        answer = self._transport.send(Request("POST", path, body=body, key=None), token=None)
        token = self._read(AccessToken, answer)
        self._token, self._refresh_token = token.access_token, (token.model_extra or {}).get("refresh_token")
        return token

    def _recovery_codes(self, step: str, body: Mapping[str, str]) -> list[str]:
        answer = self._ask(Request("POST", f"{_SECOND_FACTOR}/{step}", body=body, key=None))
        return self._read(RecoveryCodes, answer).recovery_codes

    def _read(self, kind: type[_A], answer: Response) -> _A:
        return self._parse(kind, answer.data)

    def _parse(self, kind: type[_A], data: bytes) -> _A:
        try:
            return kind.model_validate_json(data)
        except ValidationError as error:
            raise NotReachable(f"{self.url} does not answer like a gateway of this version.") from error


def _proof(code: str | None) -> dict[str, str]:
    """How a code is sent, by what it looks like."""
    if code is None:
        return {}
    text = code.replace(" ", "")
    return {"totp_code": text} if text.isdecimal() else {"recovery_code": text}


def _path(order_id: str) -> str:
    return f"/api/orders/{quote(order_id, safe='')}"


def _alarm_path(alarm_id: str) -> str:
    return f"/api/alarms/{quote(alarm_id, safe='')}"


def _webhook_path(webhook_id: str) -> str:
    return f"/api/webhooks/{quote(webhook_id, safe='')}"
