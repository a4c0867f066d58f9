"""Users, looked after by admins who have logged in."""

import secrets
from collections.abc import Callable

import pytest

from api_contract.scopes import Role
from tests.contract.client import Account, Service, error_of
from tests.contract.logins import Login, log_in, try_login

PASSWORD = "correct horse battery"
UNKNOWN = "acc_01J00000000000000000000000"


@pytest.fixture
def admin(gapi: Service, new_account: Callable[..., Account]) -> Login:
    return log_in(gapi, new_account(Role.ADMIN))


def add(admin: Login, role: str = "trader", prefix: str = "user") -> dict[str, str]:
    body = {"username": f"{prefix}-{secrets.token_hex(6)}", "password": PASSWORD, "role": role}
    answer = admin.send("POST", "/api/admin/users", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


def test_an_admin_makes_a_user_who_can_log_in(gapi: Service, admin: Login) -> None:
    user = add(admin, "viewer")
    assert "password" not in str(user)
    assert try_login(gapi, user["username"], PASSWORD).status_code == 200
    assert admin.send("GET", f"/api/admin/users/{user['account_id']}").json() == user
    again = {"username": user["username"], "password": PASSWORD, "role": "admin"}
    assert error_of(admin.send("POST", "/api/admin/users", json=again))[:2] == (409, "INVALID_STATE")


def test_a_new_role_holds_from_the_next_login(gapi: Service, admin: Login) -> None:
    user = add(admin, "viewer")
    login = log_in(gapi, Account(user["account_id"], user["username"], PASSWORD, "viewer"))
    path = f"/api/admin/users/{user['account_id']}"
    assert admin.send("PATCH", path, json={"role": "operator"}).json()["role"] == "operator"

    assert not login.is_believed()
    again = log_in(gapi, Account(user["account_id"], user["username"], PASSWORD, "operator"))
    assert again.send("DELETE", f"/api/orders/ord_{'0' * 26}").status_code == 404


def test_an_admin_sets_a_password_and_logs_a_user_out(gapi: Service, admin: Login) -> None:
    user = add(admin)
    path = f"/api/admin/users/{user['account_id']}"
    admin.send("PATCH", path, json={"password": "another password of theirs"})
    assert try_login(gapi, user["username"], PASSWORD).status_code == 401
    login = log_in(gapi, Account(user["account_id"], user["username"], "another password of theirs", "trader"))
    assert admin.send("POST", f"{path}/logout").status_code == 204
    assert not login.is_believed()


def test_users_are_listed_by_name_a_page_at_a_time(admin: Login) -> None:
    # Under a name of their own, so that no other test's users stand between them.
    prefix = f"page-{secrets.token_hex(6)}"
    names = sorted(add(admin, prefix=prefix)["username"] for _ in range(3))
    page = admin.send("GET", f"/api/admin/users?limit=2&after={names[0]}").json()["users"]
    assert [user["username"] for user in page] == names[1:]


def test_admins_do_not_lock_themselves_out(admin: Login, gapi: Service, new_account: Callable[..., Account]) -> None:
    account = new_account(Role.ADMIN)
    login = log_in(gapi, account)
    for change in ({"is_active": False}, {"role": "trader"}):
        answer = login.send("PATCH", f"/api/admin/users/{account.account_id}", json=change)
        assert error_of(answer)[:2] == (409, "INVALID_STATE")
    assert admin.send("PATCH", f"/api/admin/users/{account.account_id}", json=change).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"role": "emperor"}, {"is_active": "no"}, {"password": "short"}, {"username": "other"}, {"account_id": "x"},
        {"generation": 0}, {"role": None}, {"password_hash": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_nothing_else_of_a_user_can_be_changed(admin: Login, body: dict[str, object]) -> None:
    user = add(admin)
    answer = admin.send("PATCH", f"/api/admin/users/{user['account_id']}", json=body)
    assert error_of(answer)[:2] == (400, "INVALID_REQUEST")


def test_a_user_that_is_none_is_not_found(admin: Login) -> None:
    for account_id in (UNKNOWN, "x", "%00", "acc_%C3%A9"):
        for method, path, options in (("GET", "", {}), ("PATCH", "", {"json": {}}), ("POST", "/logout", {})):
            answer = admin.send(method, f"/api/admin/users/{account_id}{path}", **options)
            assert error_of(answer)[:2] == (404, "NOT_FOUND"), (method, account_id)
    for key_id in ("key_01J00000000000000000000000", "x", "%00", "all"):
        assert error_of(admin.send("DELETE", f"/api/admin/keys/{key_id}"))[:2] == (404, "NOT_FOUND")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.TRADER, Role.OPERATOR])
def test_nobody_else_looks_after_users(
    gapi: Service, pulse: Service, new_account: Callable[..., Account], role: Role
) -> None:
    account = new_account(role)
    new_user = {"username": "mallory", "password": PASSWORD, "role": "admin"}
    for method, path, options in (
        ("GET", "", {}),
        ("POST", "", {"json": new_user}),
        ("GET", f"/{UNKNOWN}", {}),
        ("PATCH", f"/{account.account_id}", {"json": {"role": "admin"}}),
    ):
        assert error_of(gapi.send(method, f"/api/admin/users{path}", account, **options))[:2] == (403, "FORBIDDEN")
        assert error_of(pulse.send(method, f"/internal/accounts{path}", account, **options))[:2] == (403, "FORBIDDEN")
    assert gapi.send("GET", "/api/admin/keys", account).status_code == 403
    assert pulse.send("GET", "/internal/keys/all", account).status_code == 403


def test_one_request_ends_all_that_a_leaving_user_has(
    gapi: Service, admin: Login, new_account: Callable[..., Account]
) -> None:
    leaver = new_account()
    login = log_in(gapi, leaver)
    key = login.make_key("orders:read")["api_key"]
    order_id = gapi.place(leaver).json()["order_id"]
    path = f"/api/admin/users/{leaver.account_id}/offboard"

    first, again = (admin.send("POST", path, json={"open_orders": "cancel"}).json() for _ in range(2))

    assert (first["user"]["is_active"], first["keys_revoked"], first["orders_changed"], first["orders_left"]) == (
        False, 1, 1, 0,
    )  # fmt: skip
    assert (again["keys_revoked"], again["orders_changed"], again["orders_left"]) == (0, 0, 0)
    assert not login.is_believed()
    assert gapi.send("GET", "/api/orders", headers=gapi.bearer(key)).status_code == 401
    shown = gapi.send("GET", f"/api/orders/{order_id}", new_account(Role.OPERATOR)).json()
    assert shown["status"] in ("CANCELLED", "CANCELLING")

    admin.send("PATCH", f"/api/admin/users/{leaver.account_id}", json={"is_active": True})
    assert gapi.send("GET", "/api/orders", headers=gapi.bearer(key)).status_code == 401, "no key comes back"


@pytest.mark.parametrize("body", [{}, {"open_orders": "sell"}, {"open_orders": "keep", "until": 1}], ids=str)
def test_what_becomes_of_open_orders_must_be_said(admin: Login, trader: Account, body: dict[str, object]) -> None:
    refusal = admin.send("POST", f"/api/admin/users/{trader.account_id}/offboard", json=body)

    assert error_of(refusal)[:2] == (400, "INVALID_REQUEST")
    assert admin.send("GET", f"/api/admin/users/{trader.account_id}").json()["is_active"]


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_logout_by_an_admin_ends_keys_if_asked(gapi: Service, admin: Login, trader: Account, is_asked: bool) -> None:
    key = log_in(gapi, trader).make_key()["api_key"]
    query = "?revoke_keys=true" if is_asked else ""

    assert admin.send("POST", f"/api/admin/users/{trader.account_id}/logout{query}").status_code == 204

    assert gapi.send("GET", "/api/orders", headers=gapi.bearer(key)).status_code == (401 if is_asked else 200)
