"""If-Match: what has changed since a client read it is left as it is."""

from collections.abc import Callable

import pytest

from api_contract.scopes import Role
from tests.contract.client import Account, Service, error_of
from tests.support.factories import a_split_order, an_alarm, slices_of

pytestmark = pytest.mark.usefixtures("clean_database")


def etag(gapi: Service, path: str, account: Account) -> str:
    return gapi.send("GET", path, account).headers["ETag"]


def test_an_order_is_cancelled_as_it_was_read_or_not_at_all(service: Service, trader: Account) -> None:
    path = f"{service.orders}/{service.place(trader).json()['order_id']}"
    seen = etag(service, path, trader)
    assert etag(service, path, trader) == seen
    refused = service.send("DELETE", path, trader, {"If-Match": '"0123456789"'})
    assert error_of(refused)[:2] == (412, "PRECONDITION_FAILED")
    assert refused.json()["error"]["details"] == {"etag": seen}
    assert service.send("GET", path, trader).json()["status"] == "PENDING"
    # As a list, with a key, by the one of them that counts.
    headers = {"If-Match": f'"0123456789", {seen}', "Idempotency-Key": "once"}
    assert service.send("DELETE", path, trader, headers).json()["status"] == "CANCELLED"
    again = service.send("DELETE", path, trader, headers)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert service.send("DELETE", path, trader, {"If-Match": seen}).status_code == 412
    assert service.send("DELETE", path, trader, {"If-Match": "*"}).status_code == 202


def test_a_version_is_strong_and_a_weak_one_never_matches(gapi: Service, trader: Account) -> None:
    path = f"/api/orders/{gapi.place(trader, client_note='x' * 200).json()['order_id']}"
    # Long enough to be compressed, were it not for its version.
    seen = gapi.send("GET", path, trader, {"Accept-Encoding": "gzip"}).headers["ETag"]
    assert not seen.startswith("W/")
    assert gapi.send("POST", f"{path}/pause", trader, {"If-Match": f"W/{seen}"}).status_code == 412
    key = gapi.send("GET", path, trader).json()["order_unique_key"]
    assert etag(gapi, f"/api/orders/by-key/{key}", trader) == seen
    assert gapi.send("GET", path, trader, {"If-None-Match": seen}).status_code == 304
    assert gapi.send("GET", path, trader, {"If-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("stated", ["", "abc", '"abc', '"a" "b"', '"a",', "*, *", '"a b"'])
def test_what_names_no_version_is_refused(service: Service, trader: Account, stated: str) -> None:
    path = f"{service.orders}/{service.place(trader).json()['order_id']}"
    refused = service.send("DELETE", path, trader, {"If-Match": stated})
    assert error_of(refused)[:2] == (400, "INVALID_REQUEST")
    assert refused.json()["error"]["details"]["field"] == "If-Match"
    assert service.send("GET", path, trader).json()["status"] == "PENDING"


def test_where_nothing_has_a_version_it_is_refused(service: Service, trader: Account) -> None:
    refused = service.send("POST", service.orders, trader, {"If-Match": "*"}, json={})
    assert error_of(refused)[:2] == (400, "INVALID_REQUEST")


def test_a_user_is_changed_as_an_admin_has_seen_it(
    gapi: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    admin, path = new_account(Role.ADMIN), f"/api/admin/users/{trader.account_id}"
    seen = etag(gapi, path, admin)
    changed = gapi.send("PATCH", path, admin, {"If-Match": seen}, json={"requests_per_minute": 30})
    assert changed.headers["ETag"] == etag(gapi, path, admin) != seen
    late = gapi.send("PATCH", path, admin, {"If-Match": seen}, json={"requests_per_minute": 40})
    assert (late.status_code, late.json()["error"]["details"]["etag"]) == (412, changed.headers["ETag"])
    assert gapi.send("GET", path, admin).json()["requests_per_minute"] == 30
    wish = {"open_orders": "keep"}
    assert gapi.send("POST", f"{path}/offboard", admin, {"If-Match": seen}, json=wish).status_code == 412
    newest = {"If-Match": changed.headers["ETag"]}
    assert gapi.send("POST", f"{path}/offboard", admin, newest, json=wish).status_code == 200


def test_a_webhook_has_a_version_of_its_own(
    gapi: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    made = gapi.send("POST", "/api/webhooks", trader, json={"url": "https://example.com/hook"}).json()["webhook"]
    path, admins = f"/api/webhooks/{made['webhook_id']}", f"/api/admin/webhooks/{made['webhook_id']}"
    assert gapi.send("GET", path, trader).json()["url"] == made["url"]
    disabled = gapi.send("POST", f"{path}/disable", trader, {"If-Match": etag(gapi, path, trader)})
    assert disabled.headers["ETag"] == etag(gapi, path, trader) == etag(gapi, admins, new_account(Role.ADMIN))
    assert gapi.send("DELETE", path, trader, {"If-Match": '"other"'}).status_code == 412
    assert gapi.send("GET", path, new_account()).status_code == 404
    assert gapi.send("DELETE", path, trader, {"If-Match": disabled.headers["ETag"]}).status_code == 204


def test_a_note_does_not_replace_one_that_was_not_read(gapi: Service, new_account: Callable[..., Account]) -> None:
    operator = new_account(Role.OPERATOR)
    path = f"/api/alarms/{an_alarm(slices_of(a_split_order())[0])}"
    seen = {"If-Match": etag(gapi, path, operator)}
    assert gapi.send("POST", f"{path}/note", operator, seen, json={"note": "mine"}).status_code == 200
    assert gapi.send("POST", f"{path}/note", operator, seen, json={"note": "yours"}).status_code == 412
    assert gapi.send("GET", path, operator).json()["alarm"]["note"] == "mine"
