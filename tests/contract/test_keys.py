"""API keys over HTTP: shown once, narrow, and over as soon as they are revoked."""

from collections.abc import Callable

import pytest
import requests

from api_contract.scopes import Role
from tests.contract.client import Account, Service, error_of, new_order
from tests.contract.logins import Login, log_in
from tests.support.processes import wait_until


def make(login: Login, *scopes: str, days: int = 30) -> dict[str, str]:
    return login.make_key(*(scopes or ("orders:read", "orders:write")), expires_in_days=days)


def use(
    gapi: Service, key: str, method: str = "GET", path: str = "/api/orders", **options: object
) -> requests.Response:
    return gapi.send(method, path, headers=gapi.bearer(key), **options)


def test_a_program_trades_with_a_key_and_its_use_is_seen(gapi: Service, trader: Account) -> None:
    login = log_in(gapi, trader)
    made = make(login)

    assert use(gapi, made["api_key"], "POST", json=new_order()).status_code == 202
    assert len(use(gapi, made["api_key"]).json()["orders"]) == 1
    [shown] = login.send("GET", "/api/keys").json()["keys"]
    assert shown["last_used_at"] is not None
    assert made["api_key"] not in str(shown)
    assert (shown["key_id"], shown["account_id"], shown["revoked_at"]) == (made["key_id"], trader.account_id, None)


def test_a_revoked_key_is_refused_at_once(gapi: Service, trader: Account) -> None:
    login = log_in(gapi, trader)
    made = make(login)
    assert use(gapi, made["api_key"]).status_code == 200

    for _ in range(2):
        assert login.send("DELETE", f"/api/keys/{made['key_id']}").json()["revoked_at"] is not None
    assert error_of(use(gapi, made["api_key"]))[:2] == (401, "UNAUTHORIZED")


def test_a_key_does_what_its_scopes_say_and_no_more(gapi: Service, trader: Account) -> None:
    login = log_in(gapi, trader)
    reading, writing = make(login, "orders:read")["api_key"], make(login, "orders:write")["api_key"]

    assert use(gapi, reading).status_code == 200
    assert error_of(use(gapi, reading, "POST", json=new_order())) == (403, "FORBIDDEN", {"needed": "orders:write"})
    placed = use(gapi, writing, "POST", json=new_order())
    assert placed.status_code == 202
    assert error_of(use(gapi, writing, "GET", placed.headers["Location"]))[:2] == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/keys"), ("POST", "/api/keys"), ("DELETE", "/api/keys/key_01J00000000000000000000000"),
        ("GET", "/api/admin/users"), ("POST", "/api/auth/logout"), ("POST", "/api/auth/logout-all"),
        ("POST", "/api/auth/password"),
    ],
)  # fmt: skip
def test_a_key_manages_neither_keys_nor_people(gapi: Service, trader: Account, method: str, path: str) -> None:
    key = make(log_in(gapi, trader))["api_key"]
    bodies = {
        "/api/keys": {"name": "x", "scopes": ["orders:read"], "password": trader.password},
        "/api/auth/password": {"current_password": trader.password, "new_password": "another password"},
    }
    options = {"json": bodies[path]} if method == "POST" and path in bodies else {}
    assert error_of(use(gapi, key, method, path, **options))[:2] == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": ["slices:operate"]}, {"scopes": []}, {"scopes": ["orders:*"]}, {"scopes": "orders:read"},
        {"name": ""}, {"name": "\u0661"}, {"name": "x" * 65}, {"expires_in_days": 0}, {"expires_in_days": 367},
        {"expires_in_days": True}, {"networks": ["203.0.113.1/24"]}, {"networks": ["here"]}, {"networks": [""]},
        {"networks": ["203.0.113.1"] * 11}, {"networks": "203.0.113.1"},
        {"account_id": "acc_01J00000000000000000000000"}, {"role": "admin"},
    ],
    ids=str,
)  # fmt: skip
def test_a_key_that_asks_for_what_may_not_be_is_refused(
    gapi: Service, trader: Account, changes: dict[str, object]
) -> None:
    body = {"name": "bot", "scopes": ["orders:read"], "password": trader.password, **changes}
    assert error_of(log_in(gapi, trader).send("POST", "/api/keys", json=body))[:2] == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("text", ["pk_", "pk_x", "pk_" + "0" * 26 + "_" + "0" * 46, "pk_\u00e9"])
def test_what_is_no_key_is_refused(gapi: Service, text: str) -> None:
    answer = gapi.send("GET", "/api/orders", headers={"Authorization": f"Bearer {text}".encode("latin-1")})  # type: ignore[dict-item]
    assert error_of(answer)[:2] == (401, "UNAUTHORIZED")


def test_another_secret_for_a_known_key_is_refused(gapi: Service, trader: Account) -> None:
    one, other = (make(log_in(gapi, trader))["api_key"] for _ in range(2))
    assert error_of(use(gapi, one[:30] + other[30:]))[:2] == (401, "UNAUTHORIZED")


def test_nobody_revokes_the_key_of_another_but_an_admin(
    gapi: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    made = make(log_in(gapi, trader))
    other, admin = log_in(gapi, new_account()), log_in(gapi, new_account(Role.ADMIN))

    assert error_of(other.send("DELETE", f"/api/keys/{made['key_id']}"))[:2] == (404, "NOT_FOUND")
    assert other.send("GET", "/api/keys").json()["keys"] == []
    assert use(gapi, made["api_key"]).status_code == 200
    [shown] = admin.send("GET", f"/api/admin/keys?account_id={trader.account_id}").json()["keys"]
    assert shown["key_id"] == made["key_id"]
    assert admin.send("DELETE", f"/api/admin/keys/{made['key_id']}").status_code == 200
    assert use(gapi, made["api_key"]).status_code == 401


def test_keys_go_on_after_a_logout_and_end_with_the_account(
    gapi: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    login, admin = log_in(gapi, trader), log_in(gapi, new_account(Role.ADMIN))
    key = make(login)["api_key"]
    login.send("POST", "/api/auth/logout-all")
    assert use(gapi, key).status_code == 200

    admin.send("PATCH", f"/api/admin/users/{trader.account_id}", json={"role": "viewer"})
    wait_until(lambda: use(gapi, key, "POST", json=new_order()).status_code == 403, 10, "the narrower role")
    assert use(gapi, key).status_code == 200
    admin.send("PATCH", f"/api/admin/users/{trader.account_id}", json={"is_active": False})
    wait_until(lambda: use(gapi, key).status_code == 401, 10, "the end of the account")


def test_keys_are_listed_a_page_at_a_time(gapi: Service, trader: Account) -> None:
    login = log_in(gapi, trader)
    made = [make(login)["key_id"] for _ in range(3)]
    first = login.send("GET", "/api/keys?limit=2").json()["keys"]
    rest = login.send("GET", f"/api/keys?limit=2&after={first[-1]['key_id']}").json()["keys"]
    assert [key["key_id"] for key in first + rest] == sorted(made, reverse=True)
    assert error_of(login.send("GET", "/api/keys?after=x"))[:2] == (400, "INVALID_REQUEST")


def test_the_text_of_a_key_is_in_no_log(gapi: Service, pulse: Service, trader: Account) -> None:
    key = make(log_in(gapi, trader))["api_key"]
    use(gapi, key)
    assert all(key[30:] not in service.log.read_text() for service in (gapi, pulse))


@pytest.mark.parametrize(
    "password",
    ["wrong horse battery", None],
)
def test_a_key_is_made_only_by_those_who_know_the_password(
    gapi: Service, trader: Account, password: str | None
) -> None:
    login = log_in(gapi, trader)
    body = {"name": "bot", "scopes": ["orders:read"]} | ({} if password is None else {"password": password})

    assert error_of(login.send("POST", "/api/keys", json=body)) == (403, "FORBIDDEN", {"field": "password"})
    assert login.send("GET", "/api/keys").json()["keys"] == []


def test_a_key_is_good_in_its_networks_alone(gapi: Service, trader: Account) -> None:
    made = log_in(gapi, trader).make_key(networks=["203.0.113.0/24", "2001:db8:1::/48"])
    assert made["networks"] == ["203.0.113.0/24", "2001:db8:1::/48"]

    def from_(address: str) -> int:
        headers = {**gapi.bearer(made["api_key"]), "X-Forwarded-For": address}
        return gapi.send("GET", "/api/orders", headers=headers).status_code

    inside = ("203.0.113.9", "2001:db8:1:2::1", "::ffff:203.0.113.9")
    outside = ("203.0.114.9", "2001:db8:2::1", "127.0.0.1", "::ffff:203.0.114.9")
    assert [from_(one) for one in inside + outside] == [200] * 3 + [403] * 4
