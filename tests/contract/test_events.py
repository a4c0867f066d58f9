"""Following orders live, resuming without a loss, and reading afterwards who did what and why."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import text

from api_contract.scopes import Role, Scope
from pulse_core.clock import utcnow
from pulse_core.identity.accounts import change_account
from pulse_core.identity.api_keys import add_key, revoke_key
from pulse_core.identity.revocations import revoke_all_of
from pulse_core.owner import OneAccount
from pulse_ops.stack.ports import free_port
from tests.contract.client import Account, Service, error_of, new_order
from tests.contract.event_stream import stream
from tests.contract.logins import log_in
from tests.support.processes import Processes, wait_until
from tests.support.servers import as_owner

pytestmark = pytest.mark.usefixtures("clean_database")

CANCELLED = ["order.pending", "order.request", "order.cancelled"]


@pytest.fixture(scope="module")
def short_lived(
    services: dict[str, Service], environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A gateway of the same pulse whose streams speak often."""
    processes = Processes(tmp_path_factory.mktemp("streams"), environment)
    try:
        child, url = processes.gapi(PULSE_URL=services["pulse"].url, PULSE_STREAM_HEARTBEAT="0.3", PULSE_STREAMS="8")
        yield Service("gapi", url, environment["PULSE_JWT_KEY"], child.log_path)
    finally:
        processes.close()


def placed(gapi: Service, account: Account) -> str:
    return gapi.place(account).json()["order_id"]


def cancelled(gapi: Service, account: Account) -> str:
    order_id = placed(gapi, account)
    assert gapi.send("DELETE", f"/api/orders/{order_id}", account).status_code == 202
    return order_id


def test_what_happens_to_orders_arrives_on_the_open_stream(gapi: Service, trader: Account) -> None:
    placed(gapi, trader)
    with stream(gapi, "/api/events", trader) as live:
        order_id = cancelled(gapi, trader)
        seen = live.take(3)

    assert [one["type"] for one in seen] == CANCELLED
    assert [one["event_id"] for one in seen] == [2, 3, 4]
    assert {one["order_id"] for one in seen} == {order_id}
    assert (seen[0]["actor"], seen[2]["details"]) == (trader.account_id, {"result": "UNFILLED"})


def test_whoever_comes_back_for_what_is_in_the_archive_is_told_so(gapi: Service, trader: Account) -> None:
    order_id, _ = cancelled(gapi, trader), cancelled(gapi, trader)
    with stream(gapi, "/api/events?last_event_id=0", trader) as live:
        live.take(6)
    with as_owner() as connection:
        connection.execute(text("UPDATE orders SET archived_at = now() WHERE id = :id"), {"id": order_id})
        connection.execute(text("DELETE FROM slice_events WHERE order_id = :id"), {"id": order_id})

    for path in ("/api/events?last_event_id=1", "/api/events?format=json&after=1"):
        status, code, details = error_of(gapi.send("GET", path, trader))
        assert (status, code, details) == (410, "ARCHIVED", {"after": 3})
    for part in ("slices", "fills", "events", "audit"):
        assert error_of(gapi.send("GET", f"/api/orders/{order_id}/{part}", trader))[:2] == (410, "ARCHIVED")
    assert gapi.send("GET", f"/api/orders/{order_id}", trader).json()["archived_at"] is not None
    with stream(gapi, "/api/events?last_event_id=0", trader) as kept:
        assert [one["event_id"] for one in kept.take(3)] == [4, 5, 6]


@pytest.mark.parametrize("way", ["header", "query", "both"])
def test_a_client_that_comes_back_gets_what_it_missed_and_then_goes_on(
    gapi: Service, trader: Account, way: str
) -> None:
    with stream(gapi, "/api/events", trader) as first:
        cancelled(gapi, trader)
        first.take(1)
        last = first.last_event_id
    cancelled(gapi, trader)
    query = {"header": "", "query": f"?last_event_id={last}", "both": "?last_event_id=0"}[way]
    header = {} if way == "query" else {"Last-Event-ID": str(last)}
    with stream(gapi, f"/api/events{query}", trader, header) as second:
        missed = second.take(5)
        cancelled(gapi, trader)
        missed += second.take(3)

    assert [one["event_id"] for one in missed] == list(range(last + 1, last + 9))


def test_a_stream_that_has_not_seen_an_event_can_be_resumed_all_the_same(gapi: Service, trader: Account) -> None:
    placed(gapi, trader)
    with stream(gapi, "/api/events", trader) as idle:
        last = idle.last_event_id
    placed(gapi, trader)
    with stream(gapi, "/api/events", trader, {"Last-Event-ID": str(last)}) as resumed:
        assert [one["event_id"] for one in resumed.take(1)] == [last + 1]


def test_a_stream_of_one_order_shows_that_order_only(gapi: Service, trader: Account) -> None:
    order_id, other = placed(gapi, trader), placed(gapi, trader)
    with stream(gapi, f"/api/orders/{order_id}/events?last_event_id=0", trader) as live:
        for one in (other, order_id):
            gapi.send("DELETE", f"/api/orders/{one}", trader)
        seen = live.take(3)

    assert [one["type"] for one in seen] == CANCELLED
    assert [one["event_id"] for one in seen] == [1, 5, 6]


def test_accounts_never_see_each_other(gapi: Service, trader: Account, new_account: Callable[..., Account]) -> None:
    stranger = new_account()
    order_id = placed(gapi, trader)
    with stream(gapi, "/api/events?last_event_id=0", stranger) as theirs:
        placed(gapi, trader)
        own = placed(gapi, stranger)
        assert [one["order_id"] for one in theirs.take(1)] == [own]
    for path in ("events", "events?format=json", "audit"):
        refusal = gapi.send("GET", f"/api/orders/{order_id}/{path}", stranger)
        assert error_of(refusal)[:2] == (404, "NOT_FOUND")


def test_an_operator_may_follow_anybodys_order(
    gapi: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    order_id = placed(gapi, trader)
    with stream(gapi, f"/api/orders/{order_id}/events", new_account(Role.OPERATOR)) as live:
        gapi.send("DELETE", f"/api/orders/{order_id}", trader)
        assert [one["type"] for one in live.take(2)] == CANCELLED[1:]


def test_a_silent_stream_has_a_heartbeat(short_lived: Service, trader: Account) -> None:
    with stream(short_lived, "/api/events", trader) as live:
        live.beat()
        live.beat()
        placed(short_lived, trader)
        assert live.take(1)[0]["type"] == "order.pending"


def test_a_stream_ends_with_its_token(short_lived: Service, trader: Account) -> None:
    with stream(short_lived, "/api/events", trader, exp=int(time.time()) + 2) as live:
        assert list(live.events()) == []
        assert live.heartbeats > 0


def test_a_stream_ends_when_its_login_does(short_lived: Service, trader: Account) -> None:
    login = log_in(short_lived, trader)
    with stream(short_lived, "/api/events", None, short_lived.bearer(login.access_token)) as live:
        assert login.send("POST", "/api/auth/logout").status_code == 204
        placed(short_lived, trader)
        assert list(live.events()) == []


def test_a_stream_of_a_key_ends_with_the_account_or_the_key_and_not_with_a_logout(
    gapi: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    """On a gateway that is told of it by pulse alone, and before anything is written to the stream."""
    disabled, lost = trader, new_account()
    keys = [add_key(one.account_id, "bot", [Scope.EVENTS_READ], 30, utcnow()) for one in (disabled, lost)]
    with ExitStack() as stack:
        streams = [stack.enter_context(stream(gapi, "/api/events", None, gapi.bearer(key.text))) for key in keys]
        revoke_all_of(disabled.account_id, "acc_admin", utcnow())
        placed(gapi, disabled)
        assert streams[0].take(1)[0]["type"] == "order.pending"

        change_account(disabled.account_id, utcnow(), is_active=False)
        revoke_key(OneAccount(lost.account_id), keys[1].key.id, "acc_admin", utcnow())

        assert [one["type"] for one in streams[0].events() if one["type"] != "order.in_progress"] == []
        assert list(streams[1].events()) == []
        assert [one.heartbeats for one in streams] == [0, 0]


def test_one_stream_too_many_is_refused_and_a_closed_one_makes_room(gapi: Service, trader: Account) -> None:
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(stream(gapi, "/api/events", trader))
        refusal = gapi.send("GET", "/api/events", trader)

        assert error_of(refusal)[:2] == (429, "RATE_LIMITED")
        assert refusal.headers["Retry-After"] == "15"

    with stream(gapi, "/api/events", trader):
        placed(gapi, trader)


def test_all_accounts_together_leave_threads_for_requests(
    short_lived: Service, new_account: Callable[..., Account]
) -> None:
    accounts = [new_account() for _ in range(3)]
    with ExitStack() as stack:
        for number in range(8):
            stack.enter_context(stream(short_lived, "/api/events", accounts[number // 4]))

        assert short_lived.send("GET", "/api/events", accounts[2]).status_code == 429
        assert short_lived.place(accounts[2]).status_code == 202


@pytest.mark.parametrize("asked", ["x", "-1", "1.0", "1" * 19, "99"])
def test_an_id_that_was_never_given_out_is_refused(gapi: Service, trader: Account, asked: str) -> None:
    refusal = gapi.send("GET", f"/api/events?last_event_id={asked}", trader)
    assert error_of(refusal)[:2] == (400, "INVALID_REQUEST")

    refusal = gapi.send("GET", "/api/events", trader, {"Last-Event-ID": asked})
    assert error_of(refusal)[:2] == (400, "INVALID_REQUEST")


def test_streams_need_a_token(gapi: Service) -> None:
    for path in ("/api/events", "/api/orders/ord_01ARZ3NDEKTSV4RRFFQ69G5FAV/events"):
        assert error_of(gapi.send("GET", path))[:2] == (401, "UNAUTHORIZED")


def test_asking_for_the_head_of_a_stream_opens_none(gapi: Service, trader: Account) -> None:
    for _ in range(7):
        assert gapi.send("HEAD", "/api/events", trader).status_code == 200


def test_open_streams_outlive_pulse_and_go_on_with_it(
    processes: Processes, environment: dict[str, str], trader: Account
) -> None:
    port = free_port()
    pulse, url = processes.pulse(port)
    child, gapi_url = processes.gapi(PULSE_URL=url, PULSE_STREAM_HEARTBEAT="0.3")
    gapi = Service("gapi", gapi_url, environment["PULSE_JWT_KEY"], child.log_path)
    with stream(gapi, "/api/events", trader) as live:
        pulse.ask_to_stop()
        pulse.wait(20)
        live.beat()
        assert gapi.send("GET", "/api/events", trader).status_code == 503
        processes.pulse(port)
        wait_until(lambda: gapi.send("GET", "/ready").status_code == 200)
        order_id = placed(gapi, trader)
        assert [one["order_id"] for one in live.take(1)] == [order_id]


def test_events_are_read_as_pages_too(service: Service, trader: Account) -> None:
    order_id = placed(service, trader)
    service.send("DELETE", f"{service.orders}/{order_id}", trader)
    path = f"{service.orders}/{order_id}/events?{'format=json&' if service.name == 'gapi' else ''}limit=2"

    first = service.send("GET", path, trader).json()
    second = service.send("GET", f"{path}&after={first['next_after']}", trader).json()

    assert [one["type"] for one in first["events"] + second["events"]] == CANCELLED
    assert second["next_after"] is None


def test_the_audit_says_who_did_what_and_why(service: Service, trader: Account) -> None:
    order_id = service.send(
        "POST", service.orders, trader, {"X-Request-Id": "req-7"}, json=new_order(order_unique_key="audited")
    ).json()["order_id"]
    service.send("DELETE", f"{service.orders}/{order_id}", trader)

    audit = service.send("GET", f"{service.orders}/{order_id}/audit", trader).json()

    assert (audit["order_unique_key"], audit["account_id"]) == ("audited", trader.account_id)
    assert audit["trace"]["request_id"] == "req-7"
    assert [(one["actor"], one["reason"]) for one in audit["entries"]] == [
        (trader.account_id, "the client placed it"),
        (trader.account_id, "cancel was asked for"),
        ("pulse", "its cancellation is complete"),
    ]


def test_an_unchanged_page_of_events_is_304(gapi: Service, trader: Account) -> None:
    path = f"/api/orders/{placed(gapi, trader)}/events?format=json"
    etag = gapi.send("GET", path, trader).headers["ETag"]

    assert gapi.send("GET", path, trader, {"If-None-Match": etag}).status_code == 304


def test_only_the_gateway_polls_for_all_accounts(pulse: Service, trader: Account) -> None:
    refusal = pulse.send("POST", "/internal/events/poll", trader, json={"after": {trader.account_id: 0}})

    assert error_of(refusal)[:2] == (403, "FORBIDDEN")


def test_operators_follow_everybody_in_one_feed_and_lose_nothing(
    gapi: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    other, operator, path = new_account(), new_account(Role.OPERATOR), "/api/events/all"
    mine = placed(gapi, trader)
    with stream(gapi, path, operator, {"Last-Event-ID": "0"}) as first:
        theirs = placed(gapi, other)
        seen = first.take(2)
    cancelled(gapi, trader)
    with stream(gapi, path, operator, {"Last-Event-ID": str(first.last_event_id)}) as second:
        seen += second.take(3)
        cancelled(gapi, other)
        seen += second.take(3)

    assert [one["event_id"] for one in seen] == list(range(1, 9))
    assert [one["order_id"] for one in seen[:2]] == [mine, theirs]
    assert [(one["account_id"], one["account_event_id"]) for one in seen] == [
        (trader.account_id, 1),
        (other.account_id, 1),
        *((trader.account_id, number) for number in (2, 3, 4)),
        *((other.account_id, number) for number in (2, 3, 4)),
    ]
    page = gapi.send("GET", f"{path}?format=json&limit=5", operator).json()
    rest = gapi.send("GET", f"{path}?format=json&cursor={page['next_cursor']}", new_account(Role.ADMIN)).json()
    assert (page["events"] + rest["events"], rest["next_cursor"]) == (seen, None)
    refused = gapi.send("GET", f"{path}?last_event_id=9", operator)
    assert refused.json()["error"]["details"] == {"field": "last_event_id", "max": 8}
