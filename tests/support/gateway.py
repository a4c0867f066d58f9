"""A tiny gateway that speaks the contract over real HTTP, for tests of its clients."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from click.testing import Result

AT = "2026-03-02T04:00:00.000000Z"
Pulse = Callable[..., Result]

USERNAME, PASSWORD = "meera", "a password of hers"
REFRESH_TOKEN = "rt_of_hers"


@dataclass(frozen=True)
class Canned:
    """Given once in place of the right answer; status 0 cuts the connection. `is_late`: after the work is done."""

    status: int
    code: str = "SERVICE_UNAVAILABLE"
    message: str = "orders cannot be served at the moment"
    details: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    is_late: bool = False
    raw: bytes | None = None


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    query: dict[str, list[str]]
    body: dict[str, Any] | None
    token: str
    key: str | None = None
    last_event_id: str | None = None
    if_match: str | None = None


class FakeGateway:
    """`orders`, `slices` and `events` are what it answers with; `canned` is used up first, `seen` is what came in.

    With a `login_code`, logins take it too.
    """

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.slices: dict[str, list[dict[str, Any]]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.changes: dict[str, deque[dict[str, Any]]] = {}
        self.canned: deque[Canned] = deque()
        self.seen: list[Seen] = []
        self.token = "token-1"
        self.login_code: str | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Bound", (_Handler,), {"gateway": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, *later: dict[str, Any], **changes: Any) -> str:
        """An order with these changes; each later look at it brings the next of `later`. Its id."""
        order = order_answer(len(self.orders) + 1, **changes)
        self.orders[order["order_id"]] = order
        self.changes[order["order_id"]] = deque(later)
        return order["order_id"]

    def calls(self, method: str, path: str) -> list[Seen]:
        return [one for one in self.seen if (one.method, one.path) == (method, path)]

    def answer(self, seen: Seen) -> tuple[int, Any, dict[str, str]]:
        if seen.path == "/api/auth/login":
            return self._log_in(seen)
        if seen.path == "/api/auth/refresh":
            return self._refresh(seen)
        if seen.token != self.token:
            return _error(401, "UNAUTHORIZED", "the access token has expired")
        if seen.path == "/api/events":
            return self._events([one for events in self.events.values() for one in events], seen)
        if seen.path == "/api/orders/by-key":
            return self._by_key(seen)
        if seen.path == "/api/orders/preview":
            return 200, preview_answer(**(seen.body or {})), {}
        if seen.path == "/api/orders":
            return self._place(seen.body) if seen.method == "POST" and seen.body else self._list(seen.query)
        return self._one(seen)

    def _log_in(self, seen: Seen) -> tuple[int, Any, dict[str, str]]:
        given = dict(seen.body or {})
        code = given.pop("totp_code", given.pop("recovery_code", None))
        if given != {"username": USERNAME, "password": PASSWORD}:
            return _error(401, "UNAUTHORIZED", "username or password is wrong")
        if code != self.login_code:
            return _error(401, "SECOND_FACTOR_REQUIRED", "this takes a code of the second factor too")
        return self._tokens()

    def _refresh(self, seen: Seen) -> tuple[int, Any, dict[str, str]]:
        if seen.body != {"refresh_token": REFRESH_TOKEN}:
            return _error(401, "UNAUTHORIZED", "the refresh token is not valid")
        return self._tokens()

    def _tokens(self) -> tuple[int, Any, dict[str, str]]:
        tokens = {"access_token": self.token, "token_type": "Bearer", "expires_in": 900}
        return 200, tokens | ({"refresh_token": REFRESH_TOKEN} if self.login_code else {}), {}

    def _place(self, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        for order in self.orders.values():
            if order["order_unique_key"] == body["order_unique_key"]:
                return 202, _ids(order), {"Idempotent-Replayed": "true"}
        return 202, _ids(self.orders[self.add(**body)]), {}

    def _list(self, query: dict[str, list[str]]) -> tuple[int, Any, dict[str, str]]:
        start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        newest_first = list(self.orders.values())[::-1]
        end = start + limit
        next_cursor = str(end) if end < len(newest_first) else None
        return 200, {"orders": newest_first[start:end], "next_cursor": next_cursor, "last_event_id": 0}, {}

    def _by_key(self, seen: Seen) -> tuple[int, Any, dict[str, str]]:
        [key] = seen.query["order_unique_key"]
        ids = [order["order_id"] for order in self.orders.values() if order["order_unique_key"] == key]
        return self._one(replace(seen, path=f"/api/orders/{ids[0] if ids else ''}"))

    def _one(self, seen: Seen) -> tuple[int, Any, dict[str, str]]:
        order_id, _slash, rest = seen.path.removeprefix("/api/orders/").partition("/")
        order = self.orders.get(order_id)
        if order is None:
            return _error(404, "NOT_FOUND", "there is no such order")
        if rest == "slices":
            return 200, {"slices": self.slices.get(order_id, []), "last_event_id": 0}, {}
        if rest == "events":
            return self._events(self.events.get(order_id, []), seen)
        if seen.method == "PATCH":
            order |= {name: value for name, value in (seen.body or {}).items() if name in order}
            return 200, order, {"ETag": f'"{len(self.seen)}"'}
        if seen.method != "GET":
            order |= _ACTS[rest or "cancel"]
            return 202, order, {}
        shown = dict(order)
        if self.changes[order_id]:
            order |= self.changes[order_id].popleft()
        return 200, shown, {"ETag": f'"{len(self.seen)}"'}

    def _events(self, events: list[dict[str, Any]], seen: Seen) -> tuple[int, Any, dict[str, str]]:
        """A page, or what has happened by now as a stream that then breaks off."""
        query = seen.query
        if query.get("format") != ["json"]:
            last = max((one["event_id"] for one in events), default=0)
            if int(seen.last_event_id or last) > last:
                details = {"field": "last_event_id", "max": last}
                return _error(400, "INVALID_REQUEST", "there is no such event yet", details)
            new = [one for one in events if one["event_id"] > int(seen.last_event_id or last)]
            return 200, b": \n\n" + b"".join(map(_frame, new)), {"Content-Type": "text/event-stream"}
        limit = int(query["limit"][0])
        rest = [one for one in events if one["event_id"] > int(query["after"][0])]
        next_after = rest[limit - 1]["event_id"] if len(rest) >= limit else None
        next_cursor = None if next_after is None else str(next_after)
        return 200, {"events": rest[:limit], "next_after": next_after, "next_cursor": next_cursor}, {}


class _Handler(BaseHTTPRequestHandler):
    gateway: FakeGateway

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        names = ("Idempotency-Key", "Last-Event-ID", "If-Match")
        said = [self.headers.get(name) for name in names]
        seen = Seen(self.command, url.path, parse_qs(url.query), body, token, *said)
        self.gateway.seen.append(seen)
        canned = self.gateway.canned.popleft() if self.gateway.canned and url.path != "/api/auth/login" else None
        if canned is None or canned.is_late:
            status, answer, headers = self.gateway.answer(seen)
        if canned is not None:
            status, headers = canned.status, canned.headers
            answer = canned.raw or _error(status, canned.code, canned.message, canned.details)[1]
        self._send(status, answer, headers)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815  names that http.server looks for

    def _send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        if status == 0:
            self.close_connection = True
            return
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def fake_gateway() -> Iterator[FakeGateway]:
    gateway = FakeGateway()
    try:
        yield gateway
    finally:
        gateway.stop()


def order_answer(number: int, **changes: Any) -> dict[str, Any]:
    """An order as gapi shows it, just accepted but for the changes."""
    split = {"num_splits": 5, "duration_minutes": 60, "randomize": True, "until_close": False}
    total = changes.get("total_quantity", 100)
    order = {
        "order_id": f"ord_{number:026d}", "order_unique_key": f"key-{number}", "account_id": f"acc_{1:026d}",
        "account_name": "asha",
        "instrument": "NSE:RELIANCE", "side": "BUY", "total_quantity": total, "split_config": split,
        "order_type": "MARKET", "limit_price": None, "start_at": AT, "end_at": "2026-03-02T05:00:00.000000Z",
        "session": "refuse", "product": None, "slice_timeout_seconds": None, "client_note": None,
        "broker_account": "paper", "status": "PENDING", "result": None, "skip_reason": None,
        "filled_quantity": 0, "leaves_quantity": total, "average_price": None, "currency": "INR",
        "exposure": {"filled": 0, "working": 0, "on_its_way": 0, "unknown": 0, "unsent": total}, "slices": {},
        "next_slice_at": None, "last_event_id": 0,
        "created_at": AT, "updated_at": AT, "finished_at": None, "archived_at": None, "held": None, "arrival": None,
        "catch_up": "spread", "max_slice_multiple": 3, "extend_minutes": 0, "leftover": "catch_up", "at_end": "leave",
        "not_fitting": None, "planned_quantity": 0, "late_ms": {"last": None, "p95": None, "worst": None},
    }  # fmt: skip
    return order | changes


def preview_answer(**stated: Any) -> dict[str, Any]:
    """A preview of an order as gapi shows it, by a broker that tells no charges."""
    half = stated["total_quantity"] // 2
    slices = [
        {"sequence_number": 1, "scheduled_at": AT, "quantity": half},
        {"sequence_number": 2, "scheduled_at": "2026-03-02T05:00:00.000000Z", "quantity": half},
    ]
    short = {"code": "FUNDS_SHORT", "message": "the order needs a margin of 140235.00, and the account has 20000.00"}
    money = {
        "margin": "140235.00", "charges": None, "funds": "20000.00", "holdings": None, "promised": None,
        "not_told": [{"what": "charges", "reason": "the broker does not say"}],
    }  # fmt: skip
    same = {name: stated[name] for name in ("order_unique_key", "instrument", "side", "total_quantity")}
    return same | {
        "broker_account": "paper", "start_at": AT, "end_at": "2026-03-02T05:00:00.000000Z", "slices": slices,
        "warnings": [short | {"details": {"margin": "140235.00", "funds": "20000.00"}}], "currency": "INR",
        "price": "1402.35", "worth": "140235.00", "money": money, "plan_token": "cGxhbg==",
        "expires_at": "2026-03-02T04:05:00.000000Z",
    }  # fmt: skip


def slice_answer(number: int, **changes: Any) -> dict[str, Any]:
    """A slice as gapi shows it, filled but for the changes."""
    one = {
        "slice_id": f"sl_{number:026d}", "sequence_number": number, "quantity": 20, "planned_quantity": 20,
        "scheduled_at": AT, "status": "FILLED", "sent_at": AT, "late_ms": 0, "attempts": 1,
        "broker_order_id": f"26030200000000{number}",
        "filled_quantity": 20, "average_price": "1402.35", "last_price_before": None, "error": None,
    }  # fmt: skip
    return one | changes


def event_answer(number: int, kind: str, **changes: Any) -> dict[str, Any]:
    """An event of an order as gapi shows it; `kind` is such as order.done."""
    about, status = kind.split(".")
    event = {
        "event_id": number, "type": kind, "order_id": f"ord_{1:026d}",
        "slice_id": None if about == "order" else f"sl_{1:026d}", "at": AT, "from_status": None,
        "to_status": status.upper(), "actor": "pulse", "actor_name": "pulse", "reason": f"why {number}", "details": {},
    }  # fmt: skip
    return event | changes


FILLED = {"status": "DONE", "result": "FILLED", "filled_quantity": 100, "leaves_quantity": 0,
          "average_price": "1402.35", "slices": {"FILLED": 5}, "finished_at": AT}  # fmt: skip

_ACTS = {
    "cancel": {"status": "CANCELLED", "result": "UNFILLED", "finished_at": AT},
    "pause": {"status": "PAUSED"},
    "resume": {"status": "IN_PROGRESS"},
}


def _frame(event: dict[str, Any]) -> bytes:
    return f"id: {event['event_id']}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _ids(order: dict[str, Any]) -> dict[str, str]:
    return {name: order[name] for name in ("order_id", "order_unique_key")}


def _error(
    status: int, code: str, message: str, details: dict[str, Any] | None = None
) -> tuple[int, Any, dict[str, str]]:
    return status, {"error": {"code": code, "message": message, "details": details or {}}}, {}
