"""Two cells behind one gateway: users of each are served from theirs alone, operators see both, and one that is away
takes nothing from the other."""

import json
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import run
from typing import Any

import jwt
import pytest
import requests
from sqlalchemy import create_engine

from api_contract.scopes import Role
from pulse_core import db
from pulse_ops.stack.child import Child
from pulse_ops.stack.ports import free_port
from tests.contract.client import Account, Service, error_of, new_order
from tests.contract.conftest import make_account
from tests.contract.logins import Login, log_in, try_login
from tests.contract.slow import connected
from tests.support.processes import WATCHED_AT, Processes, wait_until
from tests.support.servers import RunningPostgres

# More than there are places of any kind, so that those of a cell that hangs are all taken.
MORE_THAN_PLACES = 60


@dataclass
class Site:
    """A gateway in front of two cells, and who is where."""

    gapi: Service
    cells: Path
    processes: Processes
    delhi: Child
    delhi_settings: dict[str, str]
    accounts: dict[str, Account] = field(default_factory=dict)
    logins: dict[str, Login] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Login:
        if name not in self.logins:
            self.logins[name] = log_in(self.gapi, self.accounts[name])
        return self.logins[name]

    def restart_delhi(self) -> None:
        port = int(self.delhi_settings["PORT"])
        self.delhi, _url = self.processes.pulse(port, **self.delhi_settings)


@pytest.fixture(scope="module")
def site(
    environment: dict[str, str], postgres: RunningPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("cells")
    processes = Processes(folder, environment)
    postgres.server.create_database("delhi")
    database_url, port = postgres.migrated("delhi"), free_port()
    settings = {
        "DATABASE_URL": database_url,
        "PULSE_QUEUE_URL": environment["PULSE_QUEUE_URL"].rpartition("/")[0] + "/1",
    }
    settings["PORT"] = str(port)
    accounts = {role.value: make_account(role) for role in (Role.TRADER, Role.OPERATOR, Role.ADMIN)}
    engine = create_engine(db.psycopg2_url(database_url))
    with engine.begin() as connection:
        accounts |= {f"delhi {role}": make_account(role, connection) for role in (Role.TRADER, Role.VIEWER)}
    engine.dispose()
    try:
        _child, main_url = processes.pulse()
        delhi, delhi_url = processes.pulse(port, **settings)
        there = [accounts[name].username for name in accounts if name.startswith("delhi ")]
        cells = folder / "cells.json"
        of_delhi = {"url": delhi_url, "users": [*there, "delhi-*"]}
        cells.write_text(json.dumps({"default": "main", "cells": {"main": {"url": main_url}, "delhi": of_delhi}}))
        child, url = processes.gapi(
            PULSE_CELLS_FILE=str(cells),
            PULSE_TRUSTED_PROXIES="1",
            # Hashing a password takes its time where the machine has others to serve.
            PULSE_ANSWER_TIMEOUT="8",
        )
        gapi = Service("gapi", url, environment["PULSE_JWT_KEY"], child.log_path)
        yield Site(gapi, cells, processes, delhi, settings, accounts)
    finally:
        processes.close()


def place(login: Login) -> str:
    answer = login.send("POST", "/api/orders", json=new_order())
    assert answer.status_code == 202, answer.text
    return str(answer.json()["order_id"])


def named(login: Login, cell: str) -> dict[str, str]:
    return login.gapi.bearer(login.access_token) | {"Pulse-Cell": cell}


def told(answer: requests.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_users_of_each_cell_are_served_from_theirs_alone(site: Site) -> None:
    here, there = site["trader"], site["delhi trader"]
    mine, theirs = place(here), place(there)
    for login, own, other in ((here, mine, theirs), (there, theirs, mine)):
        assert login.send("GET", f"/api/orders/{own}").status_code == 200
        assert [one["order_id"] for one in told(login.send("GET", "/api/orders"))["orders"]] == [own]
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("GET", "/events?format=json")):
            assert login.send(method, f"/api/orders/{other}{path}").status_code == 404
        assert login.send("DELETE", f"/api/orders/{own}").status_code == 202
        assert told(login.send("GET", "/api/events?format=json"))["events"]
    assert here.send("GET", "/api/me").headers["Pulse-Cell"] == "main"
    assert there.send("GET", "/api/me").headers["Pulse-Cell"] == "delhi"


def test_logins_and_keys_say_of_which_cell_they_are(site: Site) -> None:
    here, there = site["trader"], site["delhi trader"]
    claims = [jwt.decode(one.access_token, options={"verify_signature": False}) for one in (here, there)]
    assert [one.get("cell") for one in claims] == [None, "delhi"]
    assert there.refresh_token.endswith(".delhi")
    assert there.refresh().status_code == 200
    assert there.is_believed()
    # Of no other cell, and of none that there is not.
    made = there.refresh_token.removesuffix(".delhi")
    for text in (made, f"{made}.main", f"{made}.pune", f"{here.refresh_token}.delhi"):
        assert there.refresh(text).status_code == 401
    key = there.make_key()["api_key"]
    assert key.endswith(".delhi")
    for text, status in ((key, 200), (key.removesuffix(".delhi"), 401), (f"{key}.main", 401), (f"{key}x", 401)):
        assert site.gapi.send("GET", "/api/orders", headers=site.gapi.bearer(text)).status_code == status
    forged = site.gapi.token(site.accounts["trader"], cell="pune")
    assert site.gapi.send("GET", "/api/orders", headers=site.gapi.bearer(forged)).status_code == 401
    assert try_login(site.gapi, site.accounts["delhi trader"].username, "no password of hers").status_code == 401


def test_operators_lists_are_those_of_all_cells(site: Site) -> None:
    operator, found = site["operator"], {place(site["trader"]), place(site["delhi trader"])}
    found |= {place(site["trader"]), place(site["delhi trader"])}
    shown: list[dict[str, Any]] = []
    query = "limit=1&sort=created_at"
    while True:
        page = told(operator.send("GET", f"/api/orders?{query}"))
        assert page["unreachable_cells"] == []
        shown += page["orders"]
        if page["next_cursor"] is None:
            break
        query = f"limit=1&sort=created_at&cursor={page['next_cursor']}"
    ids = [one["order_id"] for one in shown]
    assert ids == sorted(set(ids))
    assert found <= set(ids)
    alone = told(site.gapi.send("GET", "/api/orders?limit=100", headers=named(operator, "delhi")))
    assert {one["order_id"] for one in alone["orders"]} == {one["order_id"] for one in shown if one["cell"] == "delhi"}
    one_account = told(operator.send("GET", f"/api/orders?account_id={site.accounts['delhi trader'].account_id}"))
    assert {one["cell"] for one in one_account["orders"]} == {"delhi"}
    assert one_account["last_event_id"] is not None
    admin = site["admin"]
    names: set[str] = set()
    query = "limit=200"
    while query:
        page = told(admin.send("GET", f"/api/admin/users?{query}"))
        names |= {one["username"] for one in page["users"]}
        query = f"limit=200&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert {one.username for one in site.accounts.values()} <= names
    for path in ("/api/admin/keys", "/api/admin/webhooks", "/api/alarms"):
        assert told(admin.send("GET", path))["unreachable_cells"] == []
    accounts = told(admin.send("GET", "/api/broker-accounts"))["broker_accounts"]
    assert sorted(one["cell"] for one in accounts if one["name"] == "paper") == ["delhi", "main"]


def test_the_page_of_an_operator_knows_the_cells_and_that_of_a_trader_none(site: Site) -> None:
    known = {}
    for name in ("operator", "delhi trader"):
        account = site.accounts[name]
        body, headers = {"username": account.username, "password": account.password}, {"Sec-Fetch-Site": "same-origin"}
        known[name] = site.gapi.send("POST", "/app/session", headers=headers, json=body).json()["cells"]
    assert known == {"operator": ["main", "delhi"], "delhi trader": []}


def test_operators_reach_what_has_an_id_wherever_it_is(site: Site) -> None:
    operator, admin, order = site["operator"], site["admin"], place(site["delhi trader"])
    answer = operator.send("GET", f"/api/orders/{order}")
    assert (answer.status_code, answer.headers["Pulse-Cell"]) == (200, "delhi")
    key = {"Idempotency-Key": secrets.token_hex(8), **site.gapi.bearer(operator.access_token)}
    for replayed in (None, "true"):
        cancelled = site.gapi.send("DELETE", f"/api/orders/{order}", headers=key)
        assert (cancelled.status_code, cancelled.headers.get("Idempotent-Replayed")) == (202, replayed)
    events = told(operator.send("GET", f"/api/orders/{order}/events?format=json"))["events"]
    assert site.accounts["operator"].account_id in {one["actor"] for one in events}
    with site.gapi.http.get(
        f"{site.gapi.url}/api/orders/{order}/events?last_event_id=0",
        headers=site.gapi.bearer(operator.access_token),
        stream=True,
        timeout=15,
    ) as live:
        lines = (line for line in live.iter_lines(chunk_size=1, decode_unicode=True) if line.startswith("data: "))
        assert json.loads(next(lines)[6:])["order_id"] == order
    viewer = site.accounts["delhi viewer"].account_id
    granted = admin.send("PUT", f"/api/broker-accounts/paper/grants/{viewer}")
    assert granted.status_code == 204, granted.text
    grants = told(site.gapi.send("GET", "/api/broker-accounts/paper/grants", headers=named(admin, "delhi")))["grants"]
    assert viewer in {one["account_id"] for one in grants}
    assert operator.send("GET", "/api/orders/ord_01M83H8RHMTHDRXSMTYCVNSZWN").status_code == 404


def test_a_login_is_revoked_in_its_cell(site: Site) -> None:
    admin, viewer = site["admin"], site.accounts["delhi viewer"]
    login = log_in(site.gapi, viewer)
    assert login.is_believed()
    assert admin.send("POST", f"/api/admin/users/{viewer.account_id}/logout").status_code == 204
    # At once, at the gateway that did it.
    assert not login.is_believed()
    again = log_in(site.gapi, viewer)
    assert again.send("POST", "/api/auth/logout").status_code == 204
    assert not again.is_believed()
    assert site["trader"].is_believed()


def test_a_user_is_added_where_the_name_leads(site: Site) -> None:
    admin, password = site["admin"], secrets.token_urlsafe(16)
    new = {"username": f"delhi-{secrets.token_hex(4)}", "password": password, "role": "trader"}
    refused = site.gapi.send("POST", "/api/admin/users", headers=named(admin, "main"), json=new)
    assert error_of(refused)[:2] == (400, "INVALID_REQUEST")
    made = admin.send("POST", "/api/admin/users", json=new)
    assert (made.status_code, made.headers["Pulse-Cell"]) == (201, "delhi")
    assert admin.send("POST", "/api/admin/users", json=new).status_code == 409
    answer = try_login(site.gapi, new["username"], password)
    assert answer.json()["refresh_token"].endswith(".delhi")


def test_what_concerns_one_cell_takes_its_name(site: Site) -> None:
    operator, trader = site["operator"], site["trader"]
    for path in ("/api/events/all?format=json", "/api/alarms/events", "/api/instrument-loads"):
        status, code, details = error_of(operator.send("GET", path))
        assert (status, code, details["cells"]) == (400, "INVALID_REQUEST", ["main", "delhi"])
        if "format" in path:
            assert "events" in told(site.gapi.send("GET", path, headers=named(operator, "delhi")))
    for name in ("pune", "", "Main", "x" * 500, "../internal", "main,delhi"):
        refused = site.gapi.send("GET", "/api/orders", headers=named(operator, name))
        assert error_of(refused)[:2] == (400, "INVALID_REQUEST")
    assert site.gapi.send("GET", "/api/orders", headers=named(trader, "main")).status_code == 200
    assert error_of(site.gapi.send("GET", "/api/orders", headers=named(trader, "delhi")))[:2] == (403, "FORBIDDEN")
    own = site.gapi.send("POST", "/api/orders", headers=named(operator, "delhi"), json=new_order())
    assert error_of(own)[:2] == (400, "INVALID_REQUEST")
    for cursor in ("x", "e30=", "W10", "eyJtYWluIjogIngifQ=="):
        assert operator.send("GET", f"/api/orders?cursor={cursor}").status_code == 400
    assert site["admin"].send("GET", "/api/admin/users?after=asha").status_code == 400


def hung(site: Site, login: Login) -> list[bytes]:
    """A request of each kind for the cell that hangs."""
    username = site.accounts["delhi viewer"].username
    bodies = (
        ("GET", "/api/orders", b""),
        ("POST", "/api/orders", json.dumps(new_order()).encode()),
        ("DELETE", "/api/orders/ord_01M83H8RHMTHDRXSMTYCVNSZWN", b""),
        ("POST", "/api/auth/login", json.dumps({"username": username, "password": "x" * 12}).encode()),
        ("POST", "/api/auth/refresh", json.dumps({"refresh_token": f"{secrets.token_hex(8)}.delhi"}).encode()),
    )
    return [
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Forwarded-For: 198.51.{number}.1\r\nAuthorization: Bearer {login.access_token}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
        for method, path, body in bodies
        for number in range(MORE_THAN_PLACES)
    ]


def test_a_cell_that_hangs_takes_nothing_from_the_other(site: Site) -> None:
    here, there, operator = site["trader"], site["delhi trader"], site["operator"]
    order, pid = place(here), site.delhi.pid or 0
    # Of all its processes: the one that listens is a child.
    os.killpg(pid, signal.SIGSTOP)
    try:
        with ExitStack() as opened:
            for request in hung(site, there):
                opened.enter_context(connected(site.gapi.url, request))
            for _ in range(3):
                assert here.send("GET", f"/api/orders/{order}").status_code == 200
                assert here.send("POST", "/api/orders", json=new_order()).status_code == 202
                assert try_login(site.gapi, site.accounts["trader"].username, here.password).status_code == 200
                assert here.refresh().status_code == 200
            assert here.send("DELETE", f"/api/orders/{order}").status_code == 202
        wait_until(lambda: states(site)["delhi"] == "away", what="the news that a cell hangs")
        page = told(operator.send("GET", "/api/orders"))
        assert page["unreachable_cells"] == ["delhi"]
        assert {one["cell"] for one in page["orders"]} == {"main"}
        assert there.send("GET", "/api/orders").status_code in (503, 504)
    finally:
        os.killpg(pid, signal.SIGCONT)
    wait_until(there.is_believed, what="the cell to be back")


def test_a_cell_that_is_killed_is_away_for_its_users_alone(site: Site) -> None:
    here, there, order = site["trader"], site["delhi trader"], place(site["delhi trader"])
    site.delhi.kill()
    wait_until(lambda: states(site)["delhi"] == "away", what="the news that a cell is away")
    # The connection of a request that comes as the process ends may break.
    wait_until(lambda: there.send("GET", "/api/orders").status_code == 503, what="the refusal for a cell that is away")
    assert try_login(site.gapi, site.accounts["delhi trader"].username, there.password).status_code == 503
    assert here.send("GET", "/api/orders").status_code == 200
    # It may be in the cell that is away: nobody is told that it is not.
    assert site["operator"].send("GET", f"/api/orders/{order}").status_code == 503
    assert 'gapi_cell_up{cell="delhi"} 0.0' in requests.get(f"{WATCHED_AT[site.gapi.url]}/metrics", timeout=10).text
    site.restart_delhi()
    wait_until(there.is_believed, what="the cell to be back")
    assert site["operator"].send("GET", f"/api/orders/{order}").status_code == 200


def states(site: Site) -> dict[str, str]:
    answer = site.gapi.send("GET", "/ready")
    assert answer.status_code == 200
    found: dict[str, str] = answer.json()["cells"]
    return found


def test_a_bad_file_refuses_the_start(site: Site, environment: dict[str, str], tmp_path: Path) -> None:
    bad = tmp_path / "cells.json"
    bad.write_text('{"default": "main"}')
    ended = run(
        [sys.executable, "-c", "import gapi_app; gapi_app.create_app()"],
        env={**environment, "PULSE_CELLS_FILE": str(bad)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr.strip()) == (
        1,
        'gapi cannot start: PULSE_CELLS_FILE must have "cells", an object of 1 to 8 cells by their names.',
    )
