"""`pulse orders` through the real gateway and order API, without workers: nothing is split here."""

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api_contract.scopes import Role
from pulse_client.gateway import Credentials, Gateway
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.identity import accounts
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.store import slices
from pulse_ops.cli import main
from tests.support.processes import Processes

PLACE = ("place", "--instrument", "NSE:M&M", "--side", "SELL", "--quantity", "7", "--splits", "2", "--minutes", "1")
Orders = Callable[..., Any]


@pytest.fixture(scope="module")
def gateway_url(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    services = Processes(tmp_path_factory.mktemp("services"), environment)
    try:
        _, pulse_url = services.pulse()
        yield services.gapi(PULSE_URL=pulse_url)[1]
    finally:
        services.close()


@pytest.fixture
def login(gateway_url: str) -> dict[str, str]:
    """The variables of a new trader."""
    username, password = f"trader-{secrets.token_hex(8)}", secrets.token_urlsafe(16)
    accounts.add_account(username, password, Role.TRADER, utcnow())
    return {"PULSE_GATEWAY_URL": gateway_url, "PULSE_USERNAME": username, "PULSE_PASSWORD": password}


@pytest.fixture
def orders(login: dict[str, str]) -> Orders:
    """Runs `pulse orders ... --json` as that trader; the answer, after checking the exit code."""

    def run(*arguments: str, exit_code: int = 0) -> Any:
        result = CliRunner().invoke(main, ["orders", *arguments, "--json"], env=login)
        assert result.exit_code == exit_code, result.stderr
        return json.loads(result.stdout.splitlines()[-1]) if result.stdout else result.stderr

    return run


def test_celery_has_the_same_commands(login: dict[str, str], environment: dict[str, str]) -> None:
    def run(*arguments: str) -> Any:
        command = [Path(sys.executable).with_name("celery"), "-A", "pulse_tasks", "orders", *arguments, "--json"]
        ended = subprocess.run(command, env=environment | login, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    order_id = run(*PLACE, "--key", "tuesday 1")["order_id"]
    assert [one["order_id"] for one in run("list")["orders"]] == [order_id]
    assert run("cancel", order_id)["status"] == "CANCELLED"


def test_an_order_is_placed_found_again_and_cancelled(orders: Orders) -> None:
    placed = orders(*PLACE, "--key", "monday 1")
    assert not placed["replayed"]
    assert orders(*PLACE, "--key", "monday 1") == placed | {"replayed": True}
    assert placed["order_id"] in orders(*PLACE, "--key", "monday 1", "--even", exit_code=4)

    order_id = placed["order_id"]
    shown = orders("show", order_id)
    assert (shown["order"]["instrument"], shown["slices"]) == ("NSE:M&M", [])
    assert orders("cancel", order_id)["status"] == "CANCELLED"
    assert orders("watch", order_id, exit_code=5)["result"] == "UNFILLED"


def test_what_happens_to_an_order_is_followed_to_its_end(orders: Orders, login: dict[str, str]) -> None:
    order_id = orders(*PLACE)["order_id"]
    gateway = Gateway(login["PULSE_GATEWAY_URL"], Credentials(login["PULSE_USERNAME"], login["PULSE_PASSWORD"]))
    followed = gateway.follow(order_id)
    assert next(followed).type == "order.pending"

    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(lambda: [event.type for event in followed])
        orders("cancel", order_id)
        assert rest.result(timeout=20)[-1] == "order.cancelled"

    told = orders("events", order_id, "--all")["events"]
    assert [one["event_id"] for one in told] == list(range(1, len(told) + 1))
    assert orders("events", order_id, "--after", "1", "--limit", "1")["events"] == told[1:2]
    assert orders("slices", order_id) == {"slices": [], "next_after": None}


def test_an_order_is_paused_and_resumed(orders: Orders) -> None:
    order_id = orders(*PLACE)["order_id"]
    split_orders([order_id], utcnow())
    assert [orders(act, order_id)["status"] for act in ("pause", "pause", "resume")] == [
        "PAUSED",
        "PAUSED",
        "IN_PROGRESS",
    ]
    assert len(orders("slices", order_id)["slices"]) == 2
    orders("cancel", order_id)
    assert "INVALID_STATE" in orders("pause", order_id, exit_code=4)


def test_the_terms_of_an_order_come_back_as_they_were_given(orders: Orders, login: dict[str, str]) -> None:
    terms = (
        "--session",
        "wait",
        "--product",
        "mis",
        "--slice-timeout",
        "30",
        "--note",
        "hedge of the book",
        "--start-at",
    )
    start_at = f"{utcnow() + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"
    order_id = orders(*PLACE, "--limit-price", "2510.50", *terms, start_at)["order_id"]

    shown = orders("show", order_id)["order"]
    assert shown == shown | {
        "order_type": "LIMIT",
        "limit_price": "2510.50",
        "start_at": start_at,
        "session": "wait",
        "product": "MIS",
        "slice_timeout_seconds": 30,
        "client_note": "hedge of the book",
    }
    printed = CliRunner().invoke(main, ["orders", "show", order_id], env=login).stdout
    assert "LIMIT at 2510.50\n" in printed


def test_averages_are_printed_at_four_places(orders: Orders, login: dict[str, str]) -> None:
    order_id = orders(*PLACE)["order_id"]
    split_orders([order_id], utcnow())
    with db.transaction() as session:
        first = slices.of_order(session, order_id)[0]
        slices.change(session, first.id, utcnow(), filled_quantity=1, average_price=Decimal("2500.5"))

    assert [one["average_price"] for one in orders("slices", order_id)["slices"]] == ["2500.5000", None]
    assert " 2500.5000 " in CliRunner().invoke(main, ["orders", "slices", order_id], env=login).stdout


def test_filters_and_pages_reach_the_service(orders: Orders) -> None:
    placed = [orders(*PLACE)["order_id"] for _ in range(3)]
    everything = orders("list", "--all", "--limit", "2", "--instrument", "NSE:M&M", "--created-from", "2026-01-01")
    assert [one["order_id"] for one in everything["orders"]] == placed[::-1]
    assert orders("list", "--side", "buy")["orders"] == []


def test_the_services_own_refusals_reach_the_terminal(orders: Orders) -> None:
    assert "INVALID_QUANTITY" in orders(*PLACE, "--splits", "8", exit_code=4)
    assert "INVALID_INSTRUMENT" in orders(*PLACE, "--instrument", "reliance", exit_code=4)
    assert "limit" in orders("list", "--limit", "0", exit_code=4)
