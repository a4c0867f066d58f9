"""A secret may be in a file; one that holds none is refused, by the name of its variable and without its content."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gapi_app.config
from api_contract import known_variables
from api_contract.known_variables import KNOWN
from api_contract.secret_files import UnreadableSecret, secret_fields, secret_of, set_variables
from api_contract.variables import RENAMED, names_of
from pulse_core import config
from pulse_core.config import Settings, settings_to_start
from pulse_ops.paper_exchange.__main__ import main as exchange
from pulse_ops.stack import leftovers
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.handed_on import handed_on
from tests.unit.test_config import GOOD, OF_PULSE

SECRET = "a-key-of-thirty-two-bytes-0123456789"


@pytest.fixture(autouse=True)
def good_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PULSE_") or name in RENAMED:
            monkeypatch.delenv(name)
    for name, value in {**GOOD, **OF_PULSE}.items():
        monkeypatch.setenv(name, value)
    config.settings.cache_clear()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What PULSE_CURSOR_KEY_FILE names."""
    monkeypatch.delenv("PULSE_CURSOR_KEY")
    found = tmp_path / "cursor-key"
    monkeypatch.setenv("PULSE_CURSOR_KEY_FILE", str(found))
    return found


def refusal() -> str:
    with pytest.raises(SystemExit) as ended:
        settings_to_start("pulse")
    return str(ended.value.code)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_end_of_a_line_is_no_part_of_a_secret(file: Path, end: str) -> None:
    file.write_bytes(f"{SECRET}{end}".encode())
    found = Settings().pulse_cursor_key
    assert found is not None
    assert found.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, r"which cannot be read \(No such file or directory\)"),
        (b"", "which is empty"),
        (b"\n", "which is empty"),
        (b"\xff" * 40, "which is no text"),
        (b"x" * 70_000, "which is longer than 65536 bytes"),
        (b"too short", None),
    ],
)
def test_a_file_without_a_secret_is_refused(file: Path, content: bytes | None, reason: str | None) -> None:
    if content is not None:
        file.write_bytes(content)
    told = refusal()
    if reason is None:
        assert "PULSE_CURSOR_KEY is refused: must have at least 32 bytes" in told
    else:
        assert told.startswith(f"pulse cannot start: PULSE_CURSOR_KEY_FILE is refused: names {file}, which")
        assert re.search(reason, told)


def test_both_a_variable_and_its_file_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(SECRET)
    monkeypatch.setenv("PULSE_CURSOR_KEY", SECRET)
    assert "PULSE_CURSOR_KEY_FILE is refused: is set, and so is PULSE_CURSOR_KEY: set one of them" in refusal()


def test_servers_may_be_named_in_files_by_every_class_of_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, old in (("DATABASE_URL", "DATABASE_URL"), ("PULSE_QUEUE_URL", "PULSE_QUEUE_URL")):
        monkeypatch.delenv(old)
        (tmp_path / name).write_text(f"redis://in-a-file/{name}\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    (tmp_path / "owner").write_text("postgresql://owner/in-a-file")
    monkeypatch.setenv("PULSE_OWNER_DATABASE_URL_FILE", str(tmp_path / "owner"))
    for found in (Settings(), StackSettings()):
        assert found.database_url is not None
        assert found.database_url.get_secret_value() == "redis://in-a-file/DATABASE_URL"
        assert found.queue_url is not None
        assert found.queue_url.get_secret_value() == "redis://in-a-file/PULSE_QUEUE_URL"
    owner = StackSettings().owner_database_url
    assert owner is not None
    assert owner.get_secret_value() == "postgresql://owner/in-a-file"


def test_redis_url_is_read_on_and_its_new_name_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULSE_QUEUE_URL")
    monkeypatch.setenv("REDIS_URL", "redis://old")
    assert Settings().queue_url.get_secret_value() == "redis://old"
    monkeypatch.setenv("PULSE_QUEUE_URL", "redis://new")
    assert Settings().queue_url.get_secret_value() == "redis://new"


def test_a_stack_gives_its_processes_no_files(file: Path) -> None:
    file.write_text(SECRET)
    assert secret_of("PULSE_CURSOR_KEY") == SECRET
    assert "PULSE_CURSOR_KEY_FILE" not in handed_on("gapi", os.environ)
    set_variables({"PULSE_CURSOR_KEY": SECRET})
    assert settings_to_start("pulse").pulse_cursor_key is not None


def test_a_secret_of_anybody_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    named = {"PULSE_PASSWORD_FILE": str(tmp_path / "password")}
    assert secret_of("PULSE_PASSWORD", environment=named) == "hunter2"
    with pytest.raises(UnreadableSecret, match="so is PULSE_PASSWORD"):
        secret_of("PULSE_PASSWORD", environment={**named, "PULSE_PASSWORD": "other"})
    assert secret_of("PULSE_PASSWORD", environment={}) is None


def test_the_exchange_reads_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("a-key\n")
    monkeypatch.setenv("KITE_API_KEY_FILE", str(tmp_path / "key"))
    context = exchange.make_context("exchange", ["--ledger", str(tmp_path / "ledger")])
    assert context.params["api_key"] == "a-key"


def test_every_variable_of_ours_is_known() -> None:
    fields = {*Settings.model_fields, *gapi_app.config.Settings.model_fields}
    stated = {names_of(field)[0] for field in fields} | {f"PULSE_{name.upper()}" for name in StackSettings.model_fields}
    stated |= {option.envvar[0] for option in exchange.params if isinstance(option.envvar, list)} | {leftovers.MARK}
    assert {name for name in stated if name.startswith("PULSE_")} - KNOWN == {"PULSE_DATABASE_URL"}
    assert sorted(secret_fields(Settings))[:3] == ["alpaca_api_key", "alpaca_api_secret", "database_url"]


def test_what_is_nearly_a_name_of_ours_is_refused_with_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_LEESE", "9")
    assert refusal() == "pulse cannot start: PULSE_LEESE is not known: PULSE_LEASE is."
    with pytest.raises(SystemExit, match="PULSE_LEESE is not known"):
        gapi_app.config.load_settings()
    assert config.wrong_settings() == {"PULSE_LEESE": "is not known: PULSE_LEASE is"}


def test_a_file_is_named_for_a_secret_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {*secret_fields(Settings), *secret_fields(gapi_app.config.Settings), *secret_fields(StackSettings)}
    for field in fields:
        monkeypatch.setenv(f"{names_of(field)[0]}_FILE", "/run/secrets/one")
    assert (known_variables.unknown_names(), known_variables.misspelt()) == ([], {})
    monkeypatch.setenv("PULSE_DATABASE_POOL_SIZE_FILE", "/run/secrets/size")
    assert known_variables.misspelt() == {"PULSE_DATABASE_POOL_SIZE_FILE": "is not known: PULSE_DATABASE_POOL_SIZE is"}


def test_names_of_others_and_of_kubernetes_are_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    of_kubernetes = {
        "PULSE_SERVICE_HOST": "10.0.0.1",
        "PULSE_SERVICE_PORT": "8001",
        "PULSE_PORT": "tcp://10.0.0.1:8001",
    }
    for name, value in {**of_kubernetes, "PULSE_PORT_8001_TCP_ADDR": "10.0.0.1", "PULSE_OXIMETER": "98"}.items():
        monkeypatch.setenv(name, value)
    settings_to_start("pulse")
    assert known_variables.unknown_names() == ["PULSE_OXIMETER"]


def test_a_process_warns_of_open_files_and_unknown_names(file: Path) -> None:
    file.write_text(SECRET)
    file.chmod(0o644)
    script = "import celery.signals, pulse_tasks; celery.signals.setup_logging.send(sender=None)"
    variables = {**os.environ, "PULSE_LOG_FORMAT": "json", "PULSE_OXIMETER": "98"}
    done = subprocess.run([sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True)
    told = {line["event"]: line["variables"] for line in map(json.loads, done.stderr.splitlines())}
    assert told == {
        "secrets are in files that everybody may read": ["PULSE_CURSOR_KEY_FILE"],
        "variables are not known": ["PULSE_OXIMETER"],
    }


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PULSE_DISPATCH_HORIZON": "90"}, "PULSE_DISPATCH_HORIZON is refused: must be shorter than 90 s"),
        ({"PULSE_SETTLE_DELAY": "6.9"}, "PULSE_SETTLE_DELAY is refused: must not be shorter than PULSE_BROKER_TIMEOUT"),
        ({"PULSE_DATABASE_LOCK_TIMEOUT": "6"}, "PULSE_DATABASE_LOCK_TIMEOUT is refused: must not be longer than"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    variables: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert sentence in refusal()
