"""What the stack decides without starting anything."""

import json
import socket
import stat
from pathlib import Path

import pytest

from pulse_core.postgres.urls import libpq_url
from pulse_ops.stack import preflight, processes
from pulse_ops.stack.binaries import is_open_to_all
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.errors import NotRunning, StackError
from pulse_ops.stack.lock import is_held, only_stack_on
from pulse_ops.stack.logs import LARGEST_BYTES, LogFile, readable
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.processes import Listen
from pulse_ops.stack.running import find
from pulse_ops.stack.secrets import kept_keys
from pulse_ops.stack.supervisor import pause_before

SERVING = ("gapi", "pulse", "slices", "control", "beat")
PORTS = ("gapi", "pulse", "exchange", "flower", *(f"{name}_metrics" for name in SERVING))


def settings(**ports: int) -> StackSettings:
    free = {f"{name}_port": free_port() for name in PORTS}
    return StackSettings(**(free | ports))


def test_the_first_restart_is_immediate_and_the_pauses_grow_to_a_limit() -> None:
    assert [pause_before(failures, longest=6) for failures in range(5)] == [0, 1, 2, 4, 6]
    assert pause_before(100, longest=6) == 6


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ({"level": "info", "event": "slice placed"}, None),
        ({"level": "warning", "event": "broker slow", "slice_id": "sl_1"}, "warning broker slow slice_id=sl_1"),
        ({"level": "error", "event": "two\nlines"}, "error two lines"),
    ],
)
def test_a_terminal_shows_warnings_on_one_line_each(line: dict[str, str], shown: str | None) -> None:
    assert readable(json.dumps(line), is_verbose=False) == shown


def test_a_verbose_terminal_shows_every_line() -> None:
    assert readable("plain", is_verbose=True) == "plain"
    assert readable('{"level": "info", "event": "slice placed"}', is_verbose=True) == "info slice placed"


def test_a_log_shows_whole_lines_once_and_stays_bounded(tmp_path: Path) -> None:
    path = tmp_path / "gapi.log"
    log = LogFile("gapi", path)
    path.write_text("one\ntw")
    assert list(log.news(is_verbose=True)) == ["gapi: one"]
    with path.open("a") as file:
        file.write("o\n" + "x" * LARGEST_BYTES)
    assert list(log.news(is_verbose=True)) == ["gapi: two"]
    log.bound()
    assert path.stat().st_size == 0
    assert path.with_suffix(".log.1").stat().st_size > LARGEST_BYTES


def test_a_taken_port_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StackError) as refusal:
            preflight.check_ports(settings(gapi_port=port))
    assert f"Port {port} of gapi is taken" in str(refusal.value)
    assert "--gapi-port or PULSE_GAPI_PORT" in str(refusal.value)


def test_one_port_for_two_services_is_refused() -> None:
    port = free_port()
    with pytest.raises(StackError, match="is set for gapi and for pulse"):
        preflight.check_ports(settings(gapi_port=port, pulse_port=port))


def test_too_little_disk_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "NEEDED_BYTES", 2**70)
    with pytest.raises(StackError, match=r"MB are free .* --data-dir"):
        preflight.check_disk(tmp_path)


def test_a_data_folder_that_cannot_be_made_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="--data-dir"):
        preflight.make_data_dir(tmp_path / "file" / "folder")


def test_keys_are_private_and_stay_the_same(tmp_path: Path) -> None:
    first = kept_keys(tmp_path)
    assert kept_keys(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_a_second_stack_on_a_folder_is_refused_while_the_first_one_lives(tmp_path: Path) -> None:
    with only_stack_on(tmp_path):
        assert is_held(tmp_path)
        with pytest.raises(StackError, match="already"), only_stack_on(tmp_path):
            pass
    assert not is_held(tmp_path)


def test_a_folder_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="make run"):
        find(tmp_path)


def test_a_folder_that_only_its_owner_may_enter_is_not_open_to_all(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert is_open_to_all(Path("/"))
    assert not is_open_to_all(closed)


def test_libpq_does_not_see_the_name_of_a_driver() -> None:
    assert libpq_url("postgresql+psycopg2://u:p@h/d") == "postgresql://u:p@h/d"
    assert libpq_url("postgres://u:p@h/d") == "postgres://u:p@h/d"


def test_every_command_names_a_program_of_the_environment_and_no_secret() -> None:
    listen = Listen("127.0.0.1", 9000)
    commands = [
        processes.gapi(listen),
        processes.pulse(listen),
        processes.flower(listen),
        processes.exchange(listen, "ledger.sqlite"),
        processes.worker_slices(),
        processes.worker_control(),
        processes.beat(),
    ]
    assert all(Path(processes.executable(command)[0]).exists() for command in commands)
    assert not any("://" in part for command in commands for part in command)
