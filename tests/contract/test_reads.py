"""What clients read beside the orders themselves: who they are, where they are, what was traded, and what is new."""

import gzip
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from sqlalchemy import text

from api_contract.alarms import AlarmCode
from api_contract.scopes import Role, Scope
from pulse_core import db
from pulse_core.brokers.port import BrokerTrade
from pulse_core.clock import utcnow
from pulse_core.identity import api_keys
from pulse_core.trading.store import fills
from tests.contract.client import Account, Service, error_of, new_order
from tests.support.factories import a_split_order, an_alarm, slices_of
from tests.support.instruments import a_share, in_force
from tests.support.processes import wait_until

pytestmark = pytest.mark.usefixtures("environment")


def root(service: Service) -> str:
    return "/api" if service.name == "gapi" else "/internal"


def change(statement: str, **values: Any) -> None:
    with db.transaction() as session:
        session.execute(text(statement), values)


def ids(service: Service, account: Account, query: str) -> list[str]:
    answer = service.send("GET", f"{service.orders}?{query}", account)
    assert answer.status_code == 200, answer.text
    return [one["order_id"] for one in answer.json()["orders"]]


def test_a_login_learns_whom_it_speaks_for_and_until_when(gapi: Service, trader: Account) -> None:
    credentials = {"username": trader.username, "password": trader.password}
    login = gapi.send("POST", "/api/auth/login", json=credentials).json()
    me = gapi.send("GET", "/api/me", headers=gapi.bearer(login["access_token"])).json()
    assert (me["account_id"], me["username"], me["role"]) == (trader.account_id, trader.username, "trader")
    assert me["scopes"] == ["events:read", "orders:read", "orders:write", "webhooks:write"]
    assert (me["login_ends_at"], me["key_id"]) == (login["refresh_expires_at"], None)
    assert me["limits"].keys() == {"requests", "new_orders", "event_streams"}


def test_a_key_learns_what_is_left_to_it(gapi: Service, trader: Account) -> None:
    made = api_keys.add_key(trader.account_id, "bot", [Scope.ORDERS_READ], 30, utcnow())
    change("UPDATE accounts SET requests_per_minute = 90 WHERE id = :id", id=trader.account_id)
    me = gapi.send("GET", "/api/me", headers=gapi.bearer(made.text)).json()
    assert (me["scopes"], me["key_id"], me["login_ends_at"]) == (["orders:read"], made.key.id, None)
    assert me["limits"]["requests"] == me["limits"]["new_orders"] == {"limit": 90, "window_seconds": 60}


def test_anybody_learns_what_is_traded_here(service: Service, new_account: Callable[..., Account]) -> None:
    here = service.send("GET", f"{root(service)}/installation", new_account(Role.VIEWER)).json()
    assert (here["broker"], here["is_paper"], here["exchanges"]) == ("paper", True, ["BSE", "NSE"])
    assert here["limits"]["num_splits"] == {"min": 2, "max": 100}
    assert (here["time_zone"], here["default_product"]) == ("Asia/Kolkata", "CNC")


def test_the_hours_of_an_exchange_can_be_read_by_anybody_with_an_account(
    service: Service, new_account: Callable[..., Account]
) -> None:
    viewer, markets = new_account(Role.VIEWER), f"{root(service)}/markets"
    day = service.send("GET", f"{markets}/NSE?day=2026-11-30", viewer).json()

    opens = {one["name"]: (one["opens_at"], one["closes_at"]) for one in day["phases"]}
    assert opens["continuous"] == ("2026-11-30T03:45:00.000000Z", "2026-11-30T09:45:00.000000Z")
    assert (day["cut_offs"], day["is_kept"]) == ({"MIS": "2026-11-30T09:45:00.000000Z"}, False)
    refused = {"NSE?day=2027-01-01": 422, "NSE?day=2026-02-30": 400, "MCX": 404, "n%2Fse": 404}
    assert {one: service.send("GET", f"{markets}/{one}", viewer).status_code for one in refused} == refused


def test_what_can_be_traded_is_listed_and_orders_are_held_to_it(
    service: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    viewer, listed = new_account(Role.VIEWER), f"{root(service)}/instruments"
    with in_force([a_share("L&T-A.B", lot_size=25), a_share("L")]):
        page = service.send("GET", f"{listed}?query=L&exchange=NSE&limit=1", viewer).json()
        assert [one["instrument"] for one in page["instruments"]] == ["NSE:L"]
        rest = service.send("GET", f"{listed}?query=L&exchange=NSE&cursor={page['next_cursor']}", viewer).json()
        one = service.send("GET", f"{listed}/NSE:L%26T-A.B", viewer).json()
        assert (rest["instruments"], rest["next_cursor"]) == ([one], None)
        assert (one["lot_size"], one["tick_size"], one["expires_on"]) == (25, "0.05", None)
        odd = {"instrument": "NSE:L&T-A.B", "total_quantity": 130}
        wait_until(lambda: service.place(trader, **odd).status_code == 422)
        _, code, details = error_of(service.place(trader, **odd))
        assert (code, details["field"], details["nearest"]) == ("INVALID_LOT", "total_quantity", [125, 150])
    refused_paths = {
        "/NSE:NOWHERE": 404,
        "/nse": 404,
        "/NSE:L?broker=nobody": 404,
        "?broker=nobody": 404,
        "?query=rel": 400,
        "?limit=0": 400,
        "?cursor=x": 400,
    }
    assert {one: service.send("GET", f"{listed}{one}", viewer).status_code for one in refused_paths} == refused_paths


def test_operators_have_the_list_loaded(service: Service, new_account: Callable[..., Account]) -> None:
    operator, loads = new_account(Role.OPERATOR), f"{root(service)}/instrument-loads"
    asked = service.send("POST", loads, operator, json={"broker": "paper"})
    again = service.send("POST", loads, operator, json={"broker": "paper", "accept_smaller": True})
    listed = service.send("GET", loads, operator).json()["instrument_loads"]
    assert (asked.status_code, again.status_code) == (202, 202)
    assert again.json() == asked.json() | {"accept_smaller": True}
    assert listed[0] == again.json()
    assert asked.json()["asked_by"] == operator.account_id
    assert service.send("POST", loads, operator, json={"broker": "nobody"}).status_code == 404
    change("UPDATE instrument_loads SET ended_at = now(), outcome = 'FAILED' WHERE ended_at IS NULL")


PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


@pytest.mark.parametrize("key", ["my order", "a/b", "100%", "%2e%2e", "slices", "?x=1#y", "a+b&c=d", "~" * 64])
def test_an_order_is_found_by_its_key(service: Service, trader: Account, key: str) -> None:
    order_id = service.place(trader, order_unique_key=key).json()["order_id"]
    found = service.send("GET", f"{service.orders}/by-key/{requests.utils.quote(key, safe='')}", trader)
    assert (found.status_code, found.json()["order_id"]) == (200, order_id)
    assert ids(service, trader, f"order_unique_key={requests.utils.quote(key, safe='')}") == [order_id]


@pytest.mark.parametrize(
    "key", [".", "..", "../orders", "/", "//a", "%00", "%2F..", " ", PRINTABLE[:64], PRINTABLE[-64:]]
)
def test_any_key_is_found_and_cancelled_by_a_query(service: Service, trader: Account, key: str) -> None:
    other = service.place(trader, order_unique_key="other").json()["order_id"]
    order_id = service.place(trader, order_unique_key=key).json()["order_id"]
    path = f"{service.orders}/by-key?order_unique_key={requests.utils.quote(key, safe='')}"
    found = service.send("GET", path, trader)
    assert (found.status_code, found.json()["order_id"]) == (200, order_id)
    assert found.headers["ETag"] == service.send("GET", f"{service.orders}/{order_id}", trader).headers["ETag"]
    cancelled = service.send("DELETE", path, trader, {"If-Match": found.headers["ETag"]})
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "CANCELLED")
    assert service.send("GET", f"{service.orders}/{other}", trader).json()["status"] == "PENDING"


@pytest.mark.parametrize("query", ["", "?order_unique_key=", "?order_unique_key=a%00", f"?order_unique_key={'a' * 65}"])
def test_a_query_names_one_key(service: Service, trader: Account, query: str) -> None:
    for method in ("GET", "DELETE"):
        refused = service.send(method, f"{service.orders}/by-key{query}", trader)
        assert (refused.status_code, error_of(refused)[2]["field"]) == (400, "order_unique_key")


def test_an_order_is_cancelled_by_its_key(gapi: Service, trader: Account, new_account: Callable[..., Account]) -> None:
    order_id = gapi.place(trader, order_unique_key="a/b").json()["order_id"]
    path = "/api/orders/by-key/a%2Fb"
    operator, named = new_account(Role.OPERATOR), f"{path}?account_id={trader.account_id}"
    assert [gapi.send("DELETE", path, operator).status_code, gapi.send("DELETE", path, new_account()).status_code] == [
        404,
        404,
    ]
    assert gapi.send("DELETE", named, new_account()).status_code == 403
    assert gapi.send("DELETE", named, operator, {"If-Match": '"other"'}).status_code == 412
    once = {"Idempotency-Key": "once"}
    done, again = (gapi.send("DELETE", named, operator, once) for _ in range(2))
    assert (done.json()["status"], again.headers["Idempotent-Replayed"]) == ("CANCELLED", "true")
    assert gapi.send("GET", f"/api/orders/{order_id}", trader).json()["status"] == "CANCELLED"


def test_a_key_for_repeats_is_of_one_query(gapi: Service, trader: Account) -> None:
    for key in ("one", "two"):
        gapi.place(trader, order_unique_key=key)
    once = {"Idempotency-Key": "once"}
    asked = [gapi.send("DELETE", f"/api/orders/by-key?order_unique_key={key}", trader, once) for key in ("one", "two")]
    assert [one.status_code for one in asked] == [202, 409]
    assert error_of(asked[1])[1] == "IDEMPOTENCY_KEY_REUSED"


def test_a_key_is_looked_for_in_one_account(
    service: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    order_id = service.place(trader, order_unique_key="mine").json()["order_id"]
    path = f"{service.orders}/by-key/mine"
    operator, named = new_account(Role.OPERATOR), f"{path}?account_id={trader.account_id}"
    assert service.send("GET", path, operator).status_code == 404
    assert service.send("GET", named, operator).json()["order_id"] == order_id
    assert service.send("GET", named, new_account()).status_code == 403


def test_a_listing_takes_several_statuses(service: Service, trader: Account) -> None:
    pending, cancelled = (service.place(trader).json()["order_id"] for _ in range(2))
    service.send("DELETE", f"{service.orders}/{cancelled}", trader)
    assert ids(service, trader, "status=PENDING,CANCELLED") == [cancelled, pending]
    assert ids(service, trader, "status=CANCELLED,DONE") == [cancelled]
    for wrong in ("PENDING,", "PENDING,OPEN", ","):
        assert error_of(service.send("GET", f"{service.orders}?status={wrong}", trader))[2]["field"] == "status"


def test_what_needs_attention_is_listed_apart(service: Service, trader: Account) -> None:
    alarmed, unknown, failed, over, fine = (a_split_order(utcnow(), trader.account_id) for _ in range(5))
    an_alarm(slices_of(alarmed)[0], AlarmCode.TURNED_UP)
    set_status = "UPDATE order_slices SET status = :to, resolve_at = now() WHERE id = :id"
    for order_id, to in ((unknown, "UNKNOWN"), (failed, "FAILED"), (over, "REJECTED")):
        change(set_status, to=to, id=slices_of(order_id)[0].id)
    change(
        "UPDATE orders SET start_at = now() - interval '2 h', end_at = now() - interval '1 h' WHERE id = :id", id=over
    )

    assert set(ids(service, trader, "attention=true")) == {alarmed, unknown, failed}
    assert set(ids(service, trader, "attention=false")) == {over, fine}
    change(
        "UPDATE alarms SET status = 'RESOLVED', resolved_at = now(), resolved_by = 'x' WHERE order_id = :id", id=alarmed
    )
    assert set(ids(service, trader, "attention=true")) == {unknown, failed}


def test_a_follower_begins_where_the_listing_ends(service: Service, trader: Account) -> None:
    first = service.place(trader).json()["order_id"]
    page = service.send("GET", service.orders, trader).json()
    seen = page["last_event_id"]
    assert seen >= 1
    assert ids(service, trader, f"changed_after={seen}") == []

    second = service.place(trader).json()["order_id"]
    service.send("DELETE", f"{service.orders}/{first}", trader)
    changed = service.send("GET", f"{service.orders}?changed_after={seen}", trader).json()
    assert [one["order_id"] for one in changed["orders"]] == [second, first]
    assert changed["last_event_id"] > seen


def test_what_has_changed_is_asked_of_one_account(service: Service, new_account: Callable[..., Account]) -> None:
    operator, trader = new_account(Role.OPERATOR), new_account()
    order_id = service.place(trader).json()["order_id"]
    refusal = error_of(service.send("GET", f"{service.orders}?changed_after=0", operator))
    assert (refusal[0], refusal[2]["field"]) == (400, "changed_after")
    assert ids(service, operator, f"changed_after=0&account_id={trader.account_id}") == [order_id]
    assert service.send("GET", service.orders, operator).json()["last_event_id"] is None


def test_slices_tell_what_was_planned_how_late_they_are_and_what_is_new(service: Service, trader: Account) -> None:
    order_id = a_split_order(utcnow(), trader.account_id)
    first, second, *_ = slices_of(order_id)
    sent_at = first.scheduled_at + timedelta(milliseconds=1500)
    change("UPDATE order_slices SET sent_at = :at, quantity = 12 WHERE id = :id", at=sent_at, id=first.id)
    before = service.send("GET", f"{service.orders}/{order_id}/slices?changed_after=0", trader).json()
    an_alarm(first, AlarmCode.SLICE_LOWERED, lowered_from="20", lowered_to="12")

    shown = service.send("GET", f"{service.orders}/{order_id}/slices", trader).json()["slices"]
    assert [(one["quantity"], one["planned_quantity"], one["late_ms"]) for one in shown[:2]] == [
        (12, 20, 1500),
        (20, 20, None),
    ]
    query = f"changed_after={before['last_event_id']}"
    news = service.send("GET", f"{service.orders}/{order_id}/slices?{query}", trader).json()["slices"]
    assert [one["slice_id"] for one in news] == [first.id]
    order = service.send("GET", f"{service.orders}/{order_id}", trader).json()
    assert order["next_slice_at"] == shown[0]["scheduled_at"]
    assert second.sequence_number == 2


def test_an_order_tells_what_is_planned_by_now_and_how_late_it_was_sent(service: Service, trader: Account) -> None:
    order_id = a_split_order(utcnow(), trader.account_id)
    first, second, _unsent, amended, to_come = slices_of(order_id)
    planned = "UPDATE order_slices SET scheduled_at = now() + (sequence_number - 4.5) * interval '1 minute'"
    change(f"{planned} WHERE order_id = :id", id=order_id)
    sent = "UPDATE order_slices SET sent_at = scheduled_at + :late * interval '1 ms' WHERE id = :id"
    change(sent, id=first.id, late=900)
    change(sent, id=second.id, late=47.9)
    change("UPDATE order_slices SET error_code = 'AMENDED' WHERE id = :id", id=amended.id)
    change("UPDATE order_slices SET quantity = 12 WHERE id = :id", id=first.id)
    an_alarm(first, AlarmCode.SLICE_LOWERED, lowered_from="20", lowered_to="12")

    [listed] = service.send("GET", service.orders, trader).json()["orders"]
    assert (listed["planned_quantity"], listed["late_ms"]) == (60, {"last": 47, "p95": 900, "worst": 900})
    order = f"{service.orders}/{order_id}"
    shown = service.send("GET", order, trader)
    by_key = service.send("GET", f"{service.orders}/by-key/{listed['order_unique_key']}", trader)
    assert shown.json() == by_key.json() == listed | {"last_event_id": shown.json()["last_event_id"]}

    change("UPDATE order_slices SET scheduled_at = now() WHERE id = :id", id=to_come.id)
    later = service.send("GET", order, trader)
    assert (later.json()["planned_quantity"], later.headers["ETag"]) == (80, shown.headers["ETag"])
    assert ids(service, trader, f"changed_after={shown.json()['last_event_id']}") == []
    # What did not fill comes back in other slices.
    change("UPDATE order_slices SET quantity = 70 WHERE id = :id", id=to_come.id)
    assert service.send("GET", order, trader).json()["planned_quantity"] == 100


def test_nothing_is_planned_or_late_of_an_order_that_is_not_split(service: Service, trader: Account) -> None:
    order_id = service.place(trader).json()["order_id"]
    shown = service.send("GET", f"{service.orders}/{order_id}", trader).json()
    assert (shown["planned_quantity"], shown["late_ms"]) == (0, {"last": None, "p95": None, "worst": None})


def test_trades_are_listed_page_by_page(service: Service, trader: Account) -> None:
    order_id, now = a_split_order(utcnow(), trader.account_id), utcnow()
    first = slices_of(order_id)[0]
    trades = [(first.id, BrokerTrade(f"t{n}", order_id, 5 + n, Decimal("2850.05"), now)) for n in range(3)]
    with db.transaction() as session:
        booked = fills.add(session, "paper", trades, now)
    assert (booked[first.id].quantity, booked[first.id].price) == (18, Decimal("2850.0500"))

    path, found = f"{service.orders}/{order_id}/fills?limit=2", []
    cursor = ""
    while cursor is not None:
        page = service.send("GET", path + cursor, trader).json()
        found += page["fills"]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert [(one["trade_id"], one["quantity"], one["price"]) for one in found] == [
        ("t0", 5, "2850.0500"), ("t1", 6, "2850.0500"), ("t2", 7, "2850.0500"),
    ]  # fmt: skip
    other = a_split_order(now, trader.account_id)
    forged = service.send("GET", f"{service.orders}/{other}/fills?cursor={page_cursor(service, path, trader)}", trader)
    assert error_of(forged) == (400, "INVALID_REQUEST", {"field": "cursor"})


def page_cursor(service: Service, path: str, account: Account) -> str:
    return str(service.send("GET", path, account).json()["next_cursor"])


def test_events_name_who_did_it(gapi: Service, trader: Account) -> None:
    order_id = gapi.place(trader).json()["order_id"]
    for path in (f"orders/{order_id}/events?format=json", f"orders/{order_id}/audit", "events?format=json"):
        told = gapi.send("GET", f"/api/{path}", trader).json()
        [placed] = told.get("events") or told["entries"]
        assert (placed["actor"], placed["actor_name"]) == (trader.account_id, trader.username)


def test_events_of_an_account_come_in_pages(gapi: Service, trader: Account) -> None:
    made = [gapi.place(trader).json()["order_id"] for _ in range(3)]
    found, cursor = [], "0"
    while cursor is not None:
        page = gapi.send("GET", f"/api/events?format=json&limit=2&cursor={cursor}", trader).json()
        found += page["events"]
        cursor = page["next_cursor"]
    assert [one["event_id"] for one in found] == [1, 2, 3]
    assert [one["order_id"] for one in found] == made


def test_operators_read_and_follow_the_events_of_others(gapi: Service, new_account: Callable[..., Account]) -> None:
    trader, operator = new_account(), new_account(Role.OPERATOR)
    order_id = gapi.place(trader).json()["order_id"]
    path = f"/api/events?account_id={trader.account_id}"
    [placed] = gapi.send("GET", f"{path}&format=json", operator).json()["events"]
    assert placed["order_id"] == order_id
    with requests.get(
        f"{gapi.url}{path}&last_event_id=0", headers=gapi.bearer(gapi.token(operator)), stream=True, timeout=10
    ) as stream:
        assert any(order_id.encode() in line for line in stream.iter_lines())
    for query in ("&format=json", ""):
        assert gapi.send("GET", path + query, new_account()).status_code == 403


def test_users_and_keys_are_paged_like_everything(gapi: Service, new_account: Callable[..., Account]) -> None:
    admin, trader = new_account(Role.ADMIN), new_account()
    for _ in range(3):
        api_keys.add_key(trader.account_id, "bot", [Scope.ORDERS_READ], 30, utcnow())
    path, found, cursor = f"/api/admin/keys?limit=2&account_id={trader.account_id}", [], ""
    while cursor is not None:
        page = gapi.send("GET", path + cursor, admin).json()
        found += page["keys"]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert len({one["key_id"] for one in found}) == 3
    first = gapi.send("GET", "/api/admin/users?limit=1", admin).json()
    second = gapi.send("GET", f"/api/admin/users?limit=1&cursor={first['next_cursor']}", admin).json()
    assert first["users"][0]["username"] < second["users"][0]["username"]
    both = gapi.send("GET", f"/api/admin/users?after=a&cursor={first['next_cursor']}", admin)
    assert error_of(both)[2]["field"] == "cursor"


def test_errors_are_problems_for_those_who_ask(gapi: Service, trader: Account) -> None:
    headers = gapi.bearer(gapi.token(trader)) | {"Accept": "application/problem+json, application/json;q=0.5"}
    answer = requests.post(f"{gapi.url}/api/orders", json=new_order(total_quantity=3), headers=headers, timeout=10)
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", "Bad Request", 400)
    assert (problem["code"], problem["details"]["num_splits"]) == ("INVALID_QUANTITY", 5)
    for accept in ("*/*", "application/json", "application/problem+json;q=0.1, application/json"):
        usual = gapi.send("GET", "/api/orders/x", trader, {"Accept": accept})
        assert error_of(usual)[1] == "NOT_FOUND"


def test_long_answers_are_compressed_and_still_compared(gapi: Service, trader: Account) -> None:
    for _ in range(2):
        gapi.place(trader)
    asked = gapi.bearer(gapi.token(trader)) | {"Accept-Encoding": "gzip"}
    answer = requests.get(f"{gapi.url}/api/orders", headers=asked, stream=True, timeout=10)
    packed = answer.raw.read(decode_content=False)
    plain = requests.get(f"{gapi.url}/api/orders", headers=asked | {"Accept-Encoding": "identity"}, timeout=10)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == plain.content
    assert (len(packed) < len(plain.content) / 2, answer.headers["Vary"]) == (True, "Accept-Encoding")
    again = requests.get(
        f"{gapi.url}/api/orders", headers=asked | {"If-None-Match": answer.headers["ETag"]}, timeout=10
    )
    assert again.status_code == 304


def test_no_answer_with_a_secret_is_compressed(gapi: Service, trader: Account) -> None:
    credentials = {"username": trader.username, "password": trader.password}
    login = gapi.send("POST", "/api/auth/login", headers={"Accept-Encoding": "gzip"}, json=credentials)
    assert "Content-Encoding" not in login.headers
    name = "n" * 64
    made = gapi.send(
        "POST", "/api/keys", trader, {"Accept-Encoding": "gzip"}, json={"name": name, "scopes": ["orders:read"]}
    )
    assert (made.headers["Cache-Control"], "Content-Encoding" in made.headers) == ("no-store", False)
