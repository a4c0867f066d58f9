"""Webhooks are made, listed, tried, rolled, disabled and removed by the account that owns them, and by admins."""

from collections.abc import Callable

import pytest

from api_contract.scopes import Role, Scope
from pulse_core.clock import utcnow
from pulse_core.identity import api_keys
from tests.contract.client import Account, Service, error_of
from tests.support.deliveries import execute

pytestmark = pytest.mark.usefixtures("clean_database")

PUBLIC = "https://93.184.216.34/events"


def path(service: Service) -> str:
    return "/api/webhooks" if service.name == "gapi" else "/internal/webhooks"


def admin_path(service: Service) -> str:
    return "/api/admin/webhooks" if service.name == "gapi" else "/internal/webhooks/all"


def test_a_webhook_is_made_listed_disabled_enabled_and_removed(service: Service, trader: Account) -> None:
    made = service.send("POST", path(service), trader, json={"url": PUBLIC, "types": ["slice.*", "order.done"]})
    assert made.status_code == 201
    webhook = made.json()["webhook"]
    assert made.json()["secret"].startswith("whsec_")
    assert (webhook["url"], webhook["delivered_event_id"], webhook["status"]) == (PUBLIC, 0, "PENDING")
    assert (webhook["types"], webhook["verified_at"]) == (["order.done", "slice.*"], None)

    listed = service.send("GET", path(service), trader).json()
    assert listed == {"webhooks": [webhook]}

    one = f"{path(service)}/{webhook['webhook_id']}"
    disabled = service.send("POST", f"{one}/disable", trader).json()
    assert (disabled["status"], disabled["disabled_by"]) == ("DISABLED", trader.account_id)
    assert service.send("POST", f"{one}/enable", trader).json()["status"] == "PENDING"
    assert service.send("DELETE", one, trader).status_code == 204
    assert error_of(service.send("DELETE", one, trader))[:2] == (404, "NOT_FOUND")


def test_a_secret_is_rolled_and_shown_this_once(service: Service, trader: Account) -> None:
    made = service.send("POST", path(service), trader, json={"url": PUBLIC}).json()
    one = f"{path(service)}/{made['webhook']['webhook_id']}"

    rolled = service.send("POST", f"{one}/secret", trader, json={"overlap_seconds": 60})
    assert (rolled.status_code, rolled.json()["secret"] != made["secret"]) == (200, True)
    assert rolled.json()["webhook"]["previous_secret_until"] is not None
    again = service.send("POST", f"{one}/secret", trader, json={"overlap_seconds": 0}).json()
    assert again["webhook"]["previous_secret_until"] is None
    assert "secret" not in service.send("GET", path(service), trader).json()["webhooks"][0]
    assert error_of(service.send("POST", f"{one}/secret", trader, json={"overlap_seconds": -1}))[:1] == (400,)


def test_a_test_and_an_event_are_asked_for_and_stand_in_the_log(service: Service, trader: Account) -> None:
    made = service.send("POST", path(service), trader, json={"url": PUBLIC}).json()["webhook"]["webhook_id"]
    one = f"{path(service)}/{made}"
    refused = service.send("POST", f"{one}/redeliver", trader, json={"event_id": 1})
    assert error_of(refused)[:2] == (409, "INVALID_STATE")
    execute("UPDATE webhooks SET verified_at = now(), delivered_sequence = 7")

    asked = service.send("POST", f"{one}/test", trader)
    assert (asked.status_code, asked.json()["kind"], asked.json()["status"]) == (202, "TEST", "WAITING")
    again = service.send("POST", f"{one}/redeliver", trader, json={"event_id": 7})
    assert (again.status_code, again.json()["first_event_id"]) == (202, 7)
    beyond = error_of(service.send("POST", f"{one}/redeliver", trader, json={"event_id": 8}))
    assert (beyond[:2], beyond[2]["field"]) == ((400, "INVALID_REQUEST"), "event_id")

    first = service.send("GET", f"{one}/deliveries?limit=2", trader).json()
    rest = service.send("GET", f"{one}/deliveries?limit=2&cursor={first['next_cursor']}", trader).json()
    found = [delivery["delivery_id"] for delivery in (*first["deliveries"], *rest["deliveries"])]
    assert (found[:2], len(found), rest["next_cursor"]) == (
        [again.json()["delivery_id"], asked.json()["delivery_id"]], 3, None,
    )  # fmt: skip
    wrong = error_of(service.send("GET", f"{one}/deliveries?cursor=YWJj", trader))
    assert (wrong[:2], wrong[2]["field"]) == ((400, "INVALID_REQUEST"), "cursor")


def test_nobody_touches_the_webhook_of_another(
    service: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    made = service.send("POST", path(service), trader, json={"url": PUBLIC}).json()["webhook"]["webhook_id"]
    stranger = new_account()

    for method, which in (("DELETE", made), ("POST", f"{made}/enable"), ("DELETE", "whk_x"), ("DELETE", "%00")):
        assert error_of(service.send(method, f"{path(service)}/{which}", stranger))[:2] == (404, "NOT_FOUND")
    assert service.send("GET", path(service), stranger).json() == {"webhooks": []}


def test_an_admin_lists_disables_enables_and_removes_everybodys(
    service: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    made = service.send("POST", path(service), trader, json={"url": PUBLIC}).json()["webhook"]["webhook_id"]
    admin, all_of_them = new_account(Role.ADMIN), admin_path(service)

    listed = service.send("GET", f"{all_of_them}?account_id={trader.account_id}", admin).json()
    assert ([one["webhook_id"] for one in listed["webhooks"]], listed["next_cursor"]) == ([made], None)
    assert service.send("POST", f"{all_of_them}/{made}/disable", admin).json()["disabled_by"] == admin.account_id
    own = service.send("POST", f"{path(service)}/{made}/enable", trader)
    assert error_of(own)[:2] == (409, "INVALID_STATE")
    assert service.send("POST", f"{all_of_them}/{made}/enable", admin).json()["disabled_at"] is None
    assert service.send("DELETE", f"{all_of_them}/{made}", admin).status_code == 204
    assert service.send("GET", path(service), trader).json() == {"webhooks": []}


def test_a_key_makes_webhooks_of_what_it_may_read_and_they_name_it(gapi: Service, trader: Account) -> None:
    def key_of(*scopes: Scope) -> api_keys.NewKey:
        return api_keys.add_key(trader.account_id, "bot", scopes, 30, utcnow())

    for scopes in ((Scope.EVENTS_READ,), (Scope.WEBHOOKS_WRITE,)):
        headers = {"Authorization": f"Bearer {key_of(*scopes).text}"}
        refused = gapi.send("POST", "/api/webhooks", headers=headers, json={"url": PUBLIC})
        assert error_of(refused)[:2] == (403, "FORBIDDEN")
    both = key_of(Scope.EVENTS_READ, Scope.WEBHOOKS_WRITE)
    made = gapi.send(
        "POST", "/api/webhooks", headers={"Authorization": f"Bearer {both.text}"}, json={"url": PUBLIC}
    ).json()["webhook"]
    assert made["key_id"] == both.key.id


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.216.34/", "https://127.0.0.1/", "https://169.254.169.254/latest", "https://[::1]/", "x", "",
        "https://[::ffff:93.184.216.34]/", "https://168.63.129.16/", "https://example.com:22/", "https://localhost/",
    ],
)  # fmt: skip
def test_what_must_not_be_posted_to_is_refused(service: Service, trader: Account, url: str) -> None:
    refusal = service.send("POST", path(service), trader, json={"url": url})

    status, code, details = error_of(refusal)
    assert (status, code, details["field"]) == (400, "INVALID_REQUEST", "url")


def test_no_name_is_looked_up_in_a_request(service: Service, trader: Account) -> None:
    # Nobody answers for such a name: it would be refused if it were asked for.
    made = service.send("POST", path(service), trader, json={"url": "https://no-such-host.invalid/"})

    assert (made.status_code, made.json()["webhook"]["status"]) == (201, "PENDING")


@pytest.mark.parametrize("types", [[], ["news.*"], ["slice.FILL"], ["*"], ["slice.*"] * 21, "slice.*", [1]])
def test_types_that_nothing_has_are_refused(service: Service, trader: Account, types: object) -> None:
    refusal = service.send("POST", path(service), trader, json={"url": PUBLIC, "types": types})

    assert error_of(refusal)[:2] == (400, "INVALID_REQUEST")


def test_webhooks_need_a_token(service: Service) -> None:
    assert error_of(service.send("GET", path(service)))[:2] == (401, "UNAUTHORIZED")
