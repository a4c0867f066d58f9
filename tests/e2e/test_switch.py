"""A stack is switched to another broker and back: what was open waits, is sent nowhere, and goes on."""

import json
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from pulse_client import Credentials, Gateway, NewOrder, Side, SplitConfig
from pulse_core.tasks import Task
from pulse_ops.paper_exchange.ledger import Ledger
from tests.support.exchange import ACCESS_TOKEN, API_KEY, API_SECRET, RunningExchange, start_exchange
from tests.support.processes import wait_until
from tests.support.stacks import PULSE, UP, Stack, environment_for, processes_of, running_stack

pytestmark = pytest.mark.timeout(400)

SLICES = 30
PATIENCE = 60


def pulse(*arguments: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PULSE, *arguments], env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def rows(stack: Stack, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    connect = psycopg2.connect(stack.state.environment["DATABASE_URL"])
    with closing(connect) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall() if cursor.description else []


def place(stack: Stack) -> str:
    """An order of which nothing is due before this test says so."""
    gateway = Gateway(stack.gapi, Credentials(stack.state.demo_user or "", stack.state.demo_password or ""))
    wanted = NewOrder(
        order_unique_key="before-the-switch",
        instrument="NSE:INFY",
        side=Side.BUY,
        total_quantity=SLICES,
        split_config=SplitConfig(num_splits=SLICES, duration_minutes=60, randomize=False),
        start_at=datetime.now(UTC) + timedelta(hours=1),
    )
    return gateway.place(wanted).order_id


def make_due(stack: Stack, order_id: str) -> None:
    rows(
        stack,
        "UPDATE orders SET start_at = now(), end_at = now() + interval '1 h',"
        " most_per_interval = NULL, pace_interval = NULL WHERE id = %s;"
        " UPDATE order_slices SET scheduled_at = now(), due_at = now() WHERE order_id = %s",
        order_id,
        order_id,
    )


def slices(stack: Stack, order_id: str) -> list[tuple[Any, ...]]:
    return rows(stack, "SELECT status, attempts FROM order_slices WHERE order_id = %s", order_id)


def has_dispatched_since(stack: Stack, since: datetime) -> bool:
    found = rows(
        stack, "SELECT 1 FROM sweep_runs WHERE sweep = %s AND started_at > %s", Task.DISPATCH_DUE_SLICES.value, since
    )
    return bool(found)


def sent_to(other: RunningExchange) -> int:
    """Every placement that reached it, refused ones too."""
    with other.ledger() as ledger:
        return len(ledger.arrivals())


def test_open_paper_orders_wait_while_another_broker_is_traded_with_and_go_on_after_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    on_paper = environment_for(data)
    with start_exchange(tmp_path) as other:
        live = on_paper | {
            "PULSE_BROKER": "zerodha",
            "KITE_ROOT_URL": other.url,
            "KITE_API_KEY": API_KEY,
            "KITE_ACCESS_TOKEN": ACCESS_TOKEN,
            "KITE_API_SECRET": API_SECRET,
        }
        with running_stack(data, on_paper) as stack:
            order_id = place(stack)
            wait_until(lambda: len(slices(stack, order_id)) == SLICES, PATIENCE, "a plan")

        refused = pulse("up", environment=live)
        assert refused.returncode == 1
        assert f"paper (1: {order_id})" in refused.stderr.splitlines()[-1]
        assert processes_of(data) == []

        with running_stack(data, live, (*UP, "--leave")) as stack:
            assert (
                f"open orders wait, and nothing of them is sent: broker account paper (1: {order_id})" in stack.text()
            )
            make_due(stack, order_id)
            since = datetime.now(UTC)
            wait_until(lambda: has_dispatched_since(stack, since), PATIENCE, "a look at what is due")
            told = json.loads(pulse("status", "--json", environment=live).stdout)
            assert "ACCOUNT_NOT_REACHED" in json.dumps(told)
            assert slices(stack, order_id) == [("SCHEDULED", 0)] * SLICES
        assert sent_to(other) == 0

        with running_stack(data, on_paper) as stack:
            # A call that comes late on a busy machine may be one too many for the exchange, and then goes again.
            filled = [("FILLED",)] * SLICES
            wait_until(lambda: [one[:1] for one in slices(stack, order_id)] == filled, PATIENCE, "every slice on paper")
        with Ledger(data / "exchange" / "ledger.sqlite") as ledger:
            assert len({one.tag for one in ledger.orders()}) == len(ledger.orders()) == SLICES
        assert sent_to(other) == 0
