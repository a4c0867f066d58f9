"""How the client repeats itself, and how it follows an account: nothing is done twice, nothing is missed."""

import json
from itertools import islice

import pytest

from pulse_client import gateway as client
from pulse_client import transport
from pulse_client.gateway import Credentials, Gateway
from tests.support.gateway import PASSWORD, USERNAME, Canned, FakeGateway, event_answer


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RECONNECT_SECONDS", 0.0)
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
    assert gateway.calls("GET", "/api/events")[0].query["last_event_id"] == ["2"]
