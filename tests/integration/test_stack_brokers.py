"""A stack that was given another broker leaves the orders of the former one alone, and says so before it starts."""

import os
import subprocess
from contextlib import closing, nullcontext
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import text

from api_contract.vocabulary import OrderStatus
from pulse_core import db
from pulse_ops.doctor.findings import Trouble
from pulse_ops.doctor.orders import are_at_accounts_reached
from pulse_ops.stack import plan
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.errors import StackError
from pulse_ops.stack.open_orders import check_orders
from pulse_ops.stack.secrets import Keys
from pulse_ops.stack.up import Stack
from tests.support.factories import an_account, an_order
from tests.support.stacks import PULSE, environment_for, processes_of

CREDENTIALS = {"KITE_API_KEY": "k1", "KITE_ACCESS_TOKEN": "t1", "KITE_API_SECRET": "s1"}
FINAL = {OrderStatus.DONE, OrderStatus.CANCELLED, OrderStatus.SKIPPED}

pytestmark = pytest.mark.usefixtures("clean_database")


def up(data_dir: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`pulse up` on the servers of this test, which must not get to its workers."""
    servers = {name: os.environ[name] for name in ("DATABASE_URL", "PULSE_QUEUE_URL")}
    variables = environment_for(data_dir) | servers | environment
    return subprocess.run([PULSE, "up"], env=variables, capture_output=True, text=True, timeout=60, check=False)


def database_url() -> str:
    return os.environ["DATABASE_URL"]


def an_order_that_is(status: OrderStatus) -> str:
    order_id = an_order(account_id=an_account())
    with db.transaction() as session:
        session.execute(
            text("UPDATE orders SET status = :status, finished_at = CASE WHEN :ended THEN now() END WHERE id = :id"),
            {"status": status.value, "ended": status in FINAL, "id": order_id},
        )
    return order_id


def test_open_orders_of_another_broker_are_named_and_nothing_starts(tmp_path: Path) -> None:
    order_id = an_order(account_id=an_account())

    ended = up(tmp_path, PULSE_BROKER="zerodha", **CREDENTIALS)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].endswith(
        "PULSE_BROKER=zerodha cannot start while orders are open of broker accounts that it does not reach: "
        f"paper (1: {order_id}). Start as before, and let them end or cancel them there first; or start with --leave: "
        "they wait, and nothing of them is sent."
    )
    assert "starting the services" not in ended.stderr
    assert processes_of(tmp_path) == []


def test_zerodha_with_placeholders_does_not_start_and_each_is_named(tmp_path: Path) -> None:
    ended = up(tmp_path, PULSE_BROKER="zerodha", KITE_API_KEY="k1")

    assert ended.returncode == 1
    assert (
        "The services cannot start: KITE_ACCESS_TOKEN is refused: PULSE_BROKER=zerodha needs Zerodha's own, not a "
        "placeholder; KITE_API_SECRET is refused: PULSE_BROKER=zerodha needs Zerodha's own, not a placeholder, "
        "and nothing is sealed for zerodha. Seal them with `pulse broker login`"
    ) in ended.stderr.splitlines()[-1]
    assert "starting the services" not in ended.stderr
    assert processes_of(tmp_path) == []


def test_the_doctor_names_each_placeholder(tmp_path: Path) -> None:
    variables = environment_for(tmp_path) | {"PULSE_BROKER": "zerodha", "KITE_API_KEY": "k1"}
    ended = subprocess.run([PULSE, "doctor"], env=variables, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 1
    wrong = [line for line in ended.stdout.splitlines() if line.startswith("WRONG")]
    assert [line.split(":")[0] for line in wrong] == [
        "WRONG setting KITE_ACCESS_TOKEN",
        "WRONG setting KITE_API_SECRET",
    ]


@pytest.mark.parametrize("status", [one for one in OrderStatus if one not in FINAL])
def test_an_order_that_is_open_holds_another_broker_up(status: OrderStatus) -> None:
    order_id = an_order_that_is(status)

    check_orders(database_url(), {"PULSE_BROKER": "paper"})
    with pytest.raises(StackError, match=order_id):
        check_orders(database_url(), {"PULSE_BROKER": "zerodha"})


@pytest.mark.parametrize("status", sorted(FINAL))
def test_an_order_that_has_ended_does_not(status: OrderStatus) -> None:
    an_order_that_is(status)

    check_orders(database_url(), {"PULSE_BROKER": "zerodha"})


def test_a_stack_that_leaves_them_says_which_orders_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order_id = an_order(account_id=an_account())
    monkeypatch.setenv("PULSE_BROKER", "zerodha")
    monkeypatch.delenv("PULSE_PAPER_EXCHANGE_URL")
    said: list[str] = []
    for leaves_orders in (True, False):
        stack = Stack(StackSettings(data_dir=tmp_path), said.append, is_verbose=False, leaves_orders=leaves_orders)
        stack._environment = {"DATABASE_URL": database_url()}
        with nullcontext() if leaves_orders else pytest.raises(StackError, match=order_id):
            stack._check_orders()

    assert said == [f"open orders wait, and nothing of them is sent: broker account paper (1: {order_id})"]


def test_the_doctor_names_the_account_and_its_orders() -> None:
    order_id = an_order(account_id=an_account())
    with closing(psycopg2.connect(database_url())) as connection, connection.cursor() as cursor:
        [left] = are_at_accounts_reached(cursor, {"PULSE_BROKER": "zerodha"})
        [reached] = are_at_accounts_reached(cursor, {"PULSE_BROKER": "paper"})

    assert (left.trouble, reached.trouble) == (Trouble.ACCOUNT_NOT_REACHED, None)
    assert order_id in left.verdict


def test_ten_orders_are_named_and_the_others_counted() -> None:
    order_ids = sorted(an_order(account_id=an_account()) for _ in range(12))

    with pytest.raises(StackError) as refusal:
        check_orders(database_url(), {"PULSE_BROKER": "zerodha"})

    assert f"(12: {', '.join(order_ids[:10])} and 2 more)" in str(refusal.value)


def test_commands_of_a_running_stack_speak_to_the_broker_as_its_services_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)

    assert CREDENTIALS.items() <= plan.environment(StackSettings(), Keys(), "postgresql://", "redis://").items()
