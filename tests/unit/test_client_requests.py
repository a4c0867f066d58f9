"""How the client repeats itself, and how it follows an account: nothing is done twice, nothing is missed."""

import json
import socket
from itertools import islice
from threading import Thread, Timer

import pytest

from pulse_client import following, transport
from pulse_client.errors import (
    Conflict,
    EventsReset,
    Forbidden,
    InvalidRequest,
    NotAccepted,
    NotFound,
    NotReachable,
    PreconditionFailed,
    Refused,
    TooMany,
)
from pulse_client.gateway import Credentials, Gateway
from tests.support.gateway import PASSWORD, USERNAME, Canned, FakeGateway, event_answer
from tests.support.processes import wait_until


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RECONNECT_SECONDS", 0.0)
    monkeypatch.setattr(transport, "_pauses", lambda: iter([0.01] * 100))


def frames(*event_ids: int) -> bytes:
    told = (json.dumps(event_answer(one, "slice.fill")) for one in event_ids)
    return b"".join(f"data: {one}\n\n".encode() for one in told)


def test_a_change_is_repeated_with_its_key_and_another_one_has_another(gateway: FakeGateway) -> None:
    order_id, asking = gateway.add(), Gateway(gateway.url, gateway.token)
    under_way = Canned(409, "IDEMPOTENCY_KEY_IN_USE", "still under way", {"retry_after_seconds": 0})
    gateway.canned.extend([Canned(504, "UPSTREAM_TIMEOUT", is_late=True), under_way])
    asking.cancel(order_id)
    asking.cancel(order_id)

    keys = [one.key for one in gateway.calls("DELETE", f"/api/orders/{order_id}")]
    assert (len(keys), len(set(keys[:3])), len(set(keys))) == (4, 1, 2)
    assert None not in keys


def test_a_change_keeps_its_key_through_a_login(gateway: FakeGateway) -> None:
    order_id, asking = gateway.add(), Gateway(gateway.url, Credentials(USERNAME, PASSWORD))
    asking.log_in()
    gateway.token = "token-2"
    asking.pause(order_id)
    first, again = gateway.calls("POST", f"/api/orders/{order_id}/pause")
    assert first.key == again.key is not None
    assert {one.key for one in gateway.calls("POST", "/api/auth/login")} == {None}


@pytest.mark.parametrize(("typed", "sent"), [("492 039", "492039"), ("k3m7-q2xd-7vbn-4w6t", "k3m7-q2xd-7vbn-4w6t")])
def test_a_second_factor_is_asked_for_once_and_the_login_goes_on_by_itself(
    gateway: FakeGateway, typed: str, sent: str
) -> None:
    gateway.login_code = sent
    asked: list[str] = []

    def ask() -> str:
        asked.append(typed)
        return typed

    order_id, asking = gateway.add(), Gateway(gateway.url, Credentials(USERNAME, PASSWORD, ask))
    asking.order(order_id)
    gateway.token = "token-2"
    asking.order(order_id)

    assert asked == [typed]
    first, second = gateway.calls("POST", "/api/auth/login")
    assert first.body == {"username": USERNAME, "password": PASSWORD}, "nobody is asked who has none"
    assert sent in (second.body or {}).values()


def test_a_login_that_cannot_go_on_is_begun_anew(gateway: FakeGateway) -> None:
    gateway.login_code = "492039"
    asking = Gateway(gateway.url, Credentials(USERNAME, PASSWORD, lambda: "492039"))
    order_id = gateway.add()
    asking.order(order_id)
    gateway.token = "token-2"
    expired, ended = (Canned(401, "UNAUTHORIZED", message) for message in ("expired", "the login has ended"))
    gateway.canned.extend([expired, ended])
    assert asking.order(order_id).order_id == order_id


def test_what_only_reads_has_no_key(gateway: FakeGateway) -> None:
    order_id = gateway.add()
    Gateway(gateway.url, gateway.token).order(order_id)
    assert [one.key for one in gateway.calls("GET", f"/api/orders/{order_id}")] == [None]


def test_a_follower_fills_every_gap_and_gives_nothing_twice(gateway: FakeGateway) -> None:
    order_id = gateway.add()
    gateway.events[order_id] = [event_answer(number, "slice.fill") for number in range(1, 7)]
    # The first stream skips an event and is left; the second one repeats some, and is cut.
    streams = [frames(1, 2, 4), frames(1, 5, 6)]
    gateway.canned.append(Canned(200, raw=streams[0]))
    found = []
    for event in islice(Gateway(gateway.url, gateway.token).follow_account(0), 6):
        found.append(event.event_id)
        if len(found) == 3:
            gateway.canned.append(Canned(200, raw=streams[1]))
    assert found == [1, 2, 3, 4, 5, 6]


def test_a_follower_goes_on_after_the_last_event_that_it_was_given(gateway: FakeGateway) -> None:
    order_id = gateway.add()
    gateway.events[order_id] = [event_answer(number, "slice.fill") for number in range(1, 5)]
    following = Gateway(gateway.url, gateway.token).follow_account(2)
    assert [event.event_id for event in islice(following, 2)] == [3, 4]
    assert gateway.calls("GET", "/api/events")[0].last_event_id == "2"


def test_a_follower_knows_when_the_numbers_begin_anew(gateway: FakeGateway) -> None:
    order_id = gateway.add()
    gateway.events[order_id] = [event_answer(number, "slice.fill") for number in range(1, 4)]
    following = Gateway(gateway.url, gateway.token).follow_account(9)
    with pytest.raises(EventsReset) as reset:
        next(following)
    assert reset.value.last_event_id == 3


def test_a_follower_waits_for_a_gateway_that_is_away_and_loses_nothing(gateway: FakeGateway) -> None:
    order_id = gateway.add()
    gateway.events[order_id] = [event_answer(1, "slice.fill")]
    with Gateway(gateway.url, gateway.token).follow_account(0) as following:
        assert next(following).event_id == 1
        gateway.stop()
        gateway.events[order_id].append(event_answer(2, "slice.fill"))
        Timer(0.3, gateway.start).start()
        assert next(following).event_id == 2
        assert following.last_event_id == 2


def test_a_follower_gives_up_when_it_is_told_to(gateway: FakeGateway) -> None:
    gateway.add()
    following = Gateway(gateway.url, gateway.token).follow_account(0, outage_seconds=0.05)
    gateway.stop()
    try:
        with pytest.raises(NotReachable):
            next(following)
    finally:
        gateway.start()


def test_a_follower_that_waits_on_a_silent_stream_ends_when_it_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        following = Gateway(f"http://127.0.0.1:{listening.getsockname()[1]}", "token").follow_account(0)
        found: list[int] = []
        waiting = Thread(target=lambda: found.extend(event.event_id for event in following))
        waiting.start()
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            told = b"retry: 1000\nid: 0\n\n" + frames(1)
            connection.sendall(head + f"{len(told):x}\r\n".encode() + told + b"\r\n")
            wait_until(lambda: found == [1])
            following.close()
            waiting.join(10)
            assert not waiting.is_alive()


def test_what_makes_a_secret_is_sent_once_and_without_a_key(gateway: FakeGateway) -> None:
    asking = Gateway(gateway.url, gateway.token)
    gateway.canned.append(Canned(504, "UPSTREAM_TIMEOUT"))
    with pytest.raises(NotReachable) as unknown:
        asking.add_webhook("https://example.com/hook")
    assert unknown.value.retry_after is None
    gateway.canned.append(Canned(0))
    with pytest.raises(NotReachable):
        asking.roll_webhook_secret("whk_1")
    assert [(one.path, one.key) for one in gateway.seen] == [
        ("/api/webhooks", None),
        ("/api/webhooks/whk_1/secret", None),
    ]


def test_what_was_certainly_not_done_is_sent_again_even_without_a_key(gateway: FakeGateway) -> None:
    gateway.canned.extend([Canned(429, "RATE_LIMITED"), Canned(404, "NOT_FOUND", "there is no such webhook")])
    with pytest.raises(NotFound):
        Gateway(gateway.url, gateway.token).roll_webhook_secret("whk_1")
    assert len(gateway.seen) == 2


def test_a_program_may_give_the_key_and_name_the_state_that_it_has_seen(gateway: FakeGateway) -> None:
    order_id = gateway.add()
    Gateway(gateway.url, gateway.token).cancel(order_id, if_match='"abc"', idempotency_key="mine")
    [sent] = gateway.calls("DELETE", f"/api/orders/{order_id}")
    assert (sent.key, sent.if_match) == ("mine", '"abc"')


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (412, PreconditionFailed),
        (422, NotAccepted),
        (418, Refused),
    ],
)
def test_a_refusal_says_what_it_is(gateway: FakeGateway, status: int, kind: type[Refused]) -> None:
    gateway.canned.append(Canned(status, "SOME_CODE", "no", {"why": 7}))
    with pytest.raises(Refused) as refused:
        Gateway(gateway.url, gateway.token).me()
    assert type(refused.value) is kind
    assert (refused.value.code, refused.value.status, refused.value.details) == ("SOME_CODE", status, {"why": 7})
    assert refused.value.retry_after is None


def test_a_limit_says_when_to_come_again(gateway: FakeGateway) -> None:
    gateway.canned.append(Canned(429, "RATE_LIMITED", "too many", headers={"Retry-After": "60"}))
    with pytest.raises(TooMany) as refused:
        Gateway(gateway.url, gateway.token).me()
    assert refused.value.retry_after == 60
