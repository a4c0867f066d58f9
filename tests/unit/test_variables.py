"""Variables of ours begin with PULSE_; their old names are read where the new one is not set, and warned about."""

import json
import os
import secrets
import subprocess
import sys

import pytest
from click.testing import CliRunner

import gapi_app.config
from api_contract import variables
from pulse_core import config
from pulse_core.config import Settings
from pulse_ops.cli import main
from pulse_ops.cli.options import stack_settings
from pulse_ops.paper_exchange.__main__ import main as exchange
from pulse_ops.stack import plan
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.secrets import Keys
from tests.support.service_token import service_keys
from tests.unit.test_config import GOOD, OF_PULSE

OF_OTHERS = ("DATABASE_URL", "KITE_", "ALPACA_")


@pytest.fixture(autouse=True)
def good_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.removeprefix("PULSE_") in variables.OLD_NAMES or name.startswith("PAPER_"):
            monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("settings", [Settings, gapi_app.config.Settings])
def test_every_variable_of_ours_has_our_prefix(settings: type[Settings]) -> None:
    names = [variables.names_of(field)[0] for field in settings.model_fields]
    assert [name for name in names if not name.startswith(("PULSE_", *OF_OTHERS))] == []


def test_every_old_name_is_one_of_a_setting() -> None:
    fields = {*Settings.model_fields, *gapi_app.config.Settings.model_fields}
    assert {field.upper() for field in fields} >= variables.OLD_NAMES


def test_an_old_name_is_read_and_the_new_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASE", "21")
    assert Settings().lease == 21
    monkeypatch.setenv("PULSE_LEASE", "22")
    assert Settings().lease == 22


def test_the_stack_reads_the_old_name_of_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER", "zerodha")
    assert StackSettings().broker == "zerodha"
    monkeypatch.setenv("PULSE_BROKER", "paper")
    assert StackSettings().broker == "paper"
    assert StackSettings(broker="zerodha").broker == "zerodha"


def test_what_never_had_an_old_name_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GAPI_BIND_HOST", "DATA_DIR", "GAPI_PORT", "PULSE_PORT", "EXCHANGES"):
        monkeypatch.setenv(name, "9")
    assert (StackSettings().gapi_bind_host, StackSettings().pulse_port) == ("127.0.0.1", 8001)
    assert Settings().pulse_exchanges == {"NSE", "BSE"}


@pytest.mark.parametrize("name", ["LEASE", "PULSE_LEASE"])
def test_a_wrong_value_names_the_variable_that_was_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "soon")
    assert list(config.wrong_settings()) == [name]


@pytest.mark.parametrize("name", ["BROKER", "PULSE_BROKER"])
def test_a_command_names_the_variable_that_was_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "robinhood")
    with pytest.raises(Exception, match=f"^{name} input should be"):
        stack_settings()


def test_the_gateway_names_the_variable_that_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_JWT_KEY", "0123456789abcdefghijklmnopqrstuv")
    monkeypatch.setenv("PULSE_SERVICE_PRIVATE_KEY", service_keys()["PULSE_SERVICE_PRIVATE_KEY"])
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    with pytest.raises(SystemExit, match="gapi cannot start: LOG_LEVEL is refused"):
        gapi_app.config.load_settings()


def test_each_old_name_is_told_with_its_new_one_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LEASE": "21", "BROKER": "paper", "PULSE_BROKER": "zerodha", "PULSE_LOG_LEVEL": "INFO"}.items():
        monkeypatch.setenv(name, value)
    told = ["BROKER is now PULSE_BROKER, which is set to something else and counts", "LEASE is now PULSE_LEASE"]
    assert variables.old_names_set(Settings.model_fields) == told
    assert variables.old_names_set(gapi_app.config.Settings.model_fields) == []


STARTS = {
    "worker": "import celery.signals, pulse_tasks; celery.signals.setup_logging.send(sender=None)",
    "pulse": "import pulse_app; pulse_app.create_app()",
    "gapi": "import gapi_app; gapi_app.create_app()",
}
TOLD = {
    "worker": ["LEASE is now PULSE_LEASE", "LOG_LEVEL is now PULSE_LOG_LEVEL"],
    "pulse": ["LEASE is now PULSE_LEASE", "LOG_LEVEL is now PULSE_LOG_LEVEL"],
    "gapi": ["LOG_LEVEL is now PULSE_LOG_LEVEL"],
}


@pytest.mark.parametrize("service", STARTS)
def test_a_service_warns_once_when_it_starts(service: str) -> None:
    keys = {"PULSE_JWT_KEY": secrets.token_urlsafe(32), **service_keys(), **OF_PULSE}
    environment = {**os.environ, **keys, "LEASE": "21", "LOG_LEVEL": "INFO", "PULSE_LOG_FORMAT": "json"}
    done = subprocess.run([sys.executable, "-c", STARTS[service]], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(one) for one in done.stderr.splitlines()]
    [warning] = [line for line in lines if line["event"] == "settings had old names"]
    assert (warning["level"], warning["service"]) == ("warning", service)
    assert warning["variables"] == TOLD[service]
    assert "21" not in warning.values()


def test_a_stack_hands_on_new_names_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory) -> None:
    for name, value in {"LEASE": "21", "LOG_FORMAT": "console", "BROKER": "zerodha"}.items():
        monkeypatch.setenv(name, value)
    settings = StackSettings(data_dir=tmp_path)
    keys = Keys()
    program, *_ = plan.programs(settings, plan.environment(settings, keys, "postgresql://", "redis://"))
    handed_on = program.environment
    assert not variables.OLD_NAMES & handed_on.keys()
    names = ("PULSE_LEASE", "PULSE_LOG_FORMAT", "PULSE_BROKER")
    assert [handed_on[name] for name in names] == ["21", "json", "zerodha"]


def test_a_command_warns_on_stderr(monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("SETTLE_DELAY", "21")
    done = CliRunner().invoke(main, ["verify", "--data-dir", str(tmp_path)])
    assert done.stderr.startswith("Variables have new names: SETTLE_DELAY is now PULSE_SETTLE_DELAY.\n")
    assert done.stdout == ""


def test_the_exchange_reads_its_old_names_and_the_new_ones_win(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PAPER_LEDGER": "old",
        "PAPER_SEED": "7",
        "PULSE_PAPER_SEED": "8",
        "LOG_FORMAT": "json",
    }.items():
        monkeypatch.setenv(name, value)
    found = exchange.make_context("exchange", []).params
    assert (str(found["ledger"]), found["seed"], found["log_format"]) == ("old", 8, "json")
    assert exchange.old_names_set() == [
        "PAPER_LEDGER is now PULSE_PAPER_LEDGER",
        "PAPER_SEED is now PULSE_PAPER_SEED, which is set to something else and counts",
        "LOG_FORMAT is now PULSE_LOG_FORMAT",
    ]
