"""The trades of an order as CSV, as a spreadsheet gets it."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from gapi_app.orders.fills_csv import cell
from pulse_client.gateway import Gateway
from pulse_core import db
from pulse_core.brokers.port import BrokerTrade
from pulse_core.clock import utcnow
from pulse_core.trading.store import fills
from pulse_ops.cli.order_fills import fills as command
from tests.contract.client import Account, Service, error_of
from tests.support.factories import a_split_order, slices_of

CSV = {"Accept": "text/csv"}


@pytest.fixture
def traded(trader: Account) -> str:
    """An order of which three trades are booked."""
    order_id, now = a_split_order(utcnow(), trader.account_id), utcnow()
    first = slices_of(order_id)[0]
    trades = [(first.id, BrokerTrade(f"={n}", order_id, 5 + n, Decimal("2850.05"), now)) for n in range(3)]
    with db.transaction() as session:
        fills.add(session, "paper", trades, now, settled_by='o"neill, meera')
    return order_id


def test_csv_has_what_json_has_page_by_page(gapi: Service, trader: Account, traded: str) -> None:
    path = f"/api/orders/{traded}/fills?limit=2"
    told = gapi.send("GET", f"/api/orders/{traded}/fills", trader, {"Accept": "application/json, text/csv;q=0.5"})

    first = gapi.send("GET", path, trader, CSV)

    assert first.headers["Content-Type"].startswith("text/csv")
    assert "Accept" in first.headers["Vary"]
    following = first.headers["Link"].removeprefix("<").removesuffix('>; rel="next"')
    second = gapi.send("GET", following, trader, CSV)
    assert "Link" not in second.headers
    rows = [row for page in (first, second) for row in csv.DictReader(io.StringIO(page.text))]
    assert [one["trade_id"] for one in rows] == ["'=0", "'=1", "'=2"]
    shown = [{name: str(value) for name, value in one.items() if name != "trade_id"} for one in told.json()["fills"]]
    assert [{name: value for name, value in row.items() if name != "trade_id"} for row in rows] == shown


def test_the_client_and_the_command_line_write_all_pages_as_one(
    gapi: Service, trader: Account, traded: str, tmp_path: Path
) -> None:
    token = gapi.token(trader)
    whole = gapi.send("GET", f"/api/orders/{traded}/fills", trader, CSV).text

    assert "".join(Gateway(gapi.url, token).fills_csv(traded, limit=1)) == whole

    said = CliRunner().invoke(command, [traded, "--csv", "--gateway", gapi.url], env={"PULSE_TOKEN": token})
    assert (said.exit_code, said.stdout.splitlines()) == (0, whole.splitlines())
    table = CliRunner().invoke(command, [traded, "--gateway", gapi.url], env={"PULSE_TOKEN": token})
    assert (table.exit_code, table.stdout.count("2850.05")) == (0, 3)


def test_what_is_not_there_is_told_as_ever(gapi: Service, trader: Account, traded: str) -> None:
    there_is_none = gapi.send("GET", "/api/orders/ord_01M83H8RHMTHDRXSMTYCVNSZWN/fills", trader, CSV)
    assert error_of(there_is_none)[:2] == (404, "NOT_FOUND")
    refused = gapi.send("GET", f"/api/orders/{traded}/fills", trader, {"Accept": "text/csv;q=0"})
    assert refused.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_text_is_taken_for_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell("T=1") == "T=1"
    assert cell(5) == 5
