"""Operators work through the inbox of alarms, over both services alike and with the client."""

from collections.abc import Callable

import pytest

from api_contract.alarms import LONGEST_ALARM_NOTE, AlarmStatus
from api_contract.scopes import Role
from pulse_client.gateway import Gateway
from pulse_core.trading.alarms import AlarmCode
from tests.contract.client import Account, Service, error_of
from tests.contract.event_stream import stream
from tests.support.factories import a_split_order, an_alarm, slices_of

pytestmark = pytest.mark.usefixtures("clean_database")

NO_ALARM = "alm_01M83H5T3ZC6N2GQ1W9J8X4K7B"
PUBLIC = "https://93.184.216.34/events"


@pytest.fixture
def operator(new_account: Callable[..., Account]) -> Account:
    return new_account(Role.OPERATOR)


def path(service: Service, rest: str = "") -> str:
    return f"/{'api' if service.name == 'gapi' else 'internal'}/alarms{rest}"


def alarms_of_an_order(owner: Account, *codes: AlarmCode) -> tuple[str, list[str]]:
    order_id = a_split_order(account_id=owner.account_id)
    return order_id, [an_alarm(slices_of(order_id)[0], code, client_order_id="C1") for code in codes]


def test_an_alarm_is_listed_shown_acknowledged_noted_and_resolved(
    service: Service, operator: Account, trader: Account
) -> None:
    order_id, [alarm_id] = alarms_of_an_order(trader, AlarmCode.DAY_OVER)
    [listed] = service.send("GET", path(service), operator).json()["alarms"]
    assert (listed["alarm_id"], listed["order_id"], listed["account_id"]) == (alarm_id, order_id, trader.account_id)
    assert (listed["status"], listed["occurrences"], listed["detail"]) == ("OPEN", 1, {"client_order_id": "C1"})

    for deed, body in (("acknowledge", None), ("note", {"note": "asked the broker"}), ("resolve", None)):
        for _ in range(2):
            answer = service.send("POST", path(service, f"/{alarm_id}/{deed}"), operator, json=body)
            assert answer.status_code == 200, answer.text

    shown = service.send("GET", path(service, f"/{alarm_id}"), operator).json()
    assert shown["alarm"] == answer.json()
    assert (shown["alarm"]["status"], shown["alarm"]["resolved_by"]) == ("RESOLVED", operator.account_id)
    assert [(one["type"], one["actor"]) for one in shown["events"]] == [
        ("alarm.raised", "pulse"),
        *((f"alarm.{kind}", operator.account_id) for kind in ("acknowledged", "noted", "resolved")),
    ]
    refusal = error_of(service.send("POST", path(service, f"/{alarm_id}/acknowledge"), operator))
    assert refusal == (409, "INVALID_STATE", {"status": "RESOLVED"})


def test_alarms_are_filtered_and_paged(service: Service, operator: Account, trader: Account) -> None:
    order_id, made = alarms_of_an_order(trader, AlarmCode.DAY_OVER, AlarmCode.NO_ROOM, AlarmCode.TURNED_UP)
    _, [other] = alarms_of_an_order(operator, AlarmCode.NO_ROOM)

    def listed(query: str) -> set[str]:
        return {one["alarm_id"] for one in service.send("GET", path(service, query), operator).json()["alarms"]}

    first = service.send("GET", path(service, "?limit=3"), operator).json()
    rest = service.send("GET", path(service, f"?limit=3&cursor={first['next_cursor']}"), operator).json()
    assert [one["alarm_id"] for one in (*first["alarms"], *rest["alarms"])] == sorted([*made, other], reverse=True)
    assert listed(f"?order_id={order_id}") == set(made)
    assert listed("?code=NO_ROOM") == {made[1], other}
    assert listed(f"?account_id={trader.account_id}&status=OPEN") == set(made)
    assert listed("?status=RESOLVED") == set()


@pytest.mark.parametrize(
    "query", ["?status=LOST", "?code=FIRE", "?order_id=x", "?account_id=x", "?limit=0", "?cursor=AAAA", "?color=red"]
)
def test_a_question_that_makes_no_sense_is_refused(service: Service, operator: Account, query: str) -> None:
    assert error_of(service.send("GET", path(service, query), operator))[:2] == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("body", [{}, {"note": ""}, {"note": "x" * (LONGEST_ALARM_NOTE + 1)}, {"note": "a", "b": 1}])
def test_a_note_that_is_none_is_refused(service: Service, operator: Account, body: dict[str, object]) -> None:
    _, [alarm_id] = alarms_of_an_order(operator, AlarmCode.NO_ROOM)
    answer = service.send("POST", path(service, f"/{alarm_id}/note"), operator, json=body)
    assert error_of(answer)[:2] == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("alarm_id", [NO_ALARM, "x", "%00"])
def test_an_alarm_that_is_not_there_is_not_found(service: Service, operator: Account, alarm_id: str) -> None:
    assert error_of(service.send("GET", path(service, f"/{alarm_id}"), operator))[:2] == (404, "NOT_FOUND")
    assert error_of(service.send("POST", path(service, f"/{alarm_id}/resolve"), operator))[:2] == (404, "NOT_FOUND")


def test_events_of_alarms_are_read_page_by_page(service: Service, operator: Account, trader: Account) -> None:
    _, [first, second] = alarms_of_an_order(trader, AlarmCode.DAY_OVER, AlarmCode.NO_ROOM)
    service.send("POST", path(service, f"/{first}/resolve"), operator)

    query = "/events?format=json&" if service.name == "gapi" else "/events?"
    page = service.send("GET", path(service, f"{query}limit=2"), operator).json()
    rest = service.send("GET", path(service, f"{query}after={page['next_after']}"), operator).json()

    told = [(one["event_id"], one["type"], one["alarm_id"]) for one in (*page["events"], *rest["events"])]
    assert told == [(1, "alarm.raised", first), (2, "alarm.raised", second), (3, "alarm.resolved", first)]
    assert rest["next_after"] is None


def test_alarms_arrive_on_the_stream_of_operators_and_a_client_that_comes_back_misses_none(
    gapi: Service, operator: Account, trader: Account
) -> None:
    with stream(gapi, "/api/alarms/events", operator) as live:
        _, [first] = alarms_of_an_order(trader, AlarmCode.DAY_OVER)
        gapi.send("POST", f"/api/alarms/{first}/acknowledge", operator)
        seen = live.take(2)
    _, [second] = alarms_of_an_order(operator, AlarmCode.NO_ROOM)
    with stream(gapi, f"/api/alarms/events?last_event_id={live.last_event_id}", operator) as again:
        seen += again.take(1)

    assert [(one["event_id"], one["type"], one["alarm_id"]) for one in seen] == [
        (1, "alarm.raised", first), (2, "alarm.acknowledged", first), (3, "alarm.raised", second),
    ]  # fmt: skip
    assert {one["account_id"] for one in seen[:2]} == {trader.account_id}
    ahead = error_of(gapi.send("GET", "/api/alarms/events?last_event_id=99", operator))
    assert ahead[:2] == (400, "INVALID_REQUEST")
    assert error_of(gapi.send("GET", "/api/alarms/events", trader))[:2] == (403, "FORBIDDEN")


def test_a_webhook_for_alarms_is_for_operators_and_admins(
    service: Service, new_account: Callable[..., Account], trader: Account
) -> None:
    webhooks = path(service).replace("alarms", "webhooks")
    for role in (Role.OPERATOR, Role.ADMIN):
        made = service.send("POST", webhooks, new_account(role), json={"url": PUBLIC, "feed": "alarms"})
        assert (made.status_code, made.json()["webhook"]["feed"]) == (201, "alarms")
    refused = service.send("POST", webhooks, trader, json={"url": PUBLIC, "feed": "alarms"})
    assert error_of(refused)[:2] == (403, "FORBIDDEN")
    wrong = service.send("POST", webhooks, trader, json={"url": PUBLIC, "feed": "news"})
    assert error_of(wrong)[:2] == (400, "INVALID_REQUEST")
    assert service.send("POST", webhooks, trader, json={"url": PUBLIC}).json()["webhook"]["feed"] == "orders"


def test_the_client_works_through_the_inbox(gapi: Service, operator: Account, trader: Account) -> None:
    order_id, [alarm_id] = alarms_of_an_order(trader, AlarmCode.DAY_OVER)
    client = Gateway(gapi.url, gapi.token(operator))

    assert [one.alarm_id for one in client.alarms({"order_id": order_id, "status": AlarmStatus.OPEN}).alarms] == [
        alarm_id
    ]
    assert client.acknowledge_alarm(alarm_id).acknowledged_by == operator.account_id
    assert client.note_alarm(alarm_id, "asked the broker").note == "asked the broker"
    assert client.resolve_alarm(alarm_id).status == AlarmStatus.RESOLVED
    assert [one.type for one in client.alarm(alarm_id).events] == [one.type for one in client.alarm_events().events]
