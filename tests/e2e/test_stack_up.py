"""`pulse up` as a newcomer meets it: it starts, it mends itself, it ends without a trace."""

import json
import os
import signal
import socket
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest
import requests

from pulse_ops.stack import probes
from pulse_ops.stack.handed_on import EVERY_SECRET, SECRETS
from pulse_ops.stack.ports import free_port
from tests.support.processes import wait_until
from tests.support.stacks import PULSE, Stack, environment_for, processes_of, running_stack

pytestmark = pytest.mark.timeout(180)


def pulse(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PULSE, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False)


# What a stack of its own has beside what somebody may set.
_OF_BROKERS = {"KITE_API_KEY", "KITE_ACCESS_TOKEN", "KITE_API_SECRET", "ALPACA_API_KEY", "ALPACA_API_SECRET"}
GIVEN = EVERY_SECRET - _OF_BROKERS - {"PULSE_JWT_KEYS", "FLOWER_BASIC_AUTH", "PULSE_FENCE_DATABASE_URL"}


def open_to_others(data_dir: Path) -> list[tuple[str, str]]:
    """Every file and folder of a stack that anybody but its owner may read, write or enter."""
    found = ((path, path.lstat().st_mode) for path in (data_dir, *data_dir.rglob("*")))
    return [(str(path), stat.filemode(mode)) for path, mode in found if not stat.S_ISLNK(mode) and mode & 0o077]


def secrets_given(stack: Stack) -> dict[str, frozenset[str]]:
    """The secrets that each process has in its environment, servers aside."""
    pids = {one.name: one.pid for one in stack.state.processes if one.name in SECRETS}
    return {name: psutil.Process(pid).environ().keys() & EVERY_SECRET for name, pid in pids.items()}


def services_role(stack: Stack) -> tuple[str, bool]:
    connect = psycopg2.connect(stack.state.environment["DATABASE_URL"])
    with closing(connect) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user")
        return cursor.fetchone()


def test_a_stack_starts_mends_itself_and_keeps_its_user_over_a_restart(tmp_path: Path) -> None:
    environment = environment_for(tmp_path / "data")
    with running_stack(tmp_path / "data", environment) as stack:
        before = stack.state
        assert before.demo_password is not None
        # The stack says in its file that it is ready, and then on the screen.
        wait_until(lambda: before.demo_password in stack.text(), 10, "the printed password")
        assert requests.get(f"{stack.gapi_watched}/ready", timeout=5).ok

        status = pulse("status", "--json", **environment)
        assert status.returncode == 0, status.stdout
        assert {one["state"] for one in json.loads(status.stdout)["processes"]} == {"running"}
        assert pulse("doctor", **environment).returncode == 0
        assert pulse("migrate", "--check", **environment).returncode == 0

        assert open_to_others(tmp_path / "data") == []
        assert secrets_given(stack) == {name: of & GIVEN for name, of in SECRETS.items()}
        assert services_role(stack) == ("pulse_run", False)

        refused = pulse("up", **environment)
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert "already" in refused.stderr

        for name in ("gapi", "worker-slices", "postgres"):
            killed = stack.pid_of(name)
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda name=name, killed=killed: stack.pid_of(name) not in (None, killed), 30, f"a new {name}")
            assert f"{name} was ended by SIGKILL; starting it again" in stack.text()
        wait_until(lambda: probes.http_ok(f"{stack.gapi_watched}/ready")(0), 30, "a ready gateway")

        assert stack.end(signal.SIGTERM) == 0
        assert processes_of(tmp_path / "data") == []

    with running_stack(tmp_path / "data", environment) as again:
        login = {"username": again.state.demo_user, "password": before.demo_password}
        assert requests.post(f"{again.gapi}/api/auth/login", json=login, timeout=5).ok
        os.kill(again.process.pid, signal.SIGKILL)
        again.process.wait(5)
        wait_until(lambda: processes_of(tmp_path / "data") == [], 20, "the end of every process")
    assert pulse("status", **environment).returncode == 3


def test_a_taken_port_ends_the_start_with_one_sentence_and_no_process(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = str(server.getsockname()[1])
        ended = pulse("up", **environment_for(tmp_path / "data") | {"PULSE_GAPI_PORT": taken})
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"Port {taken} of gapi is taken" in ended.stderr
    assert processes_of(tmp_path / "data") == []


def test_a_database_that_is_not_there_ends_the_start_with_one_sentence(tmp_path: Path) -> None:
    nowhere = {
        "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none",
        "PULSE_QUEUE_URL": "redis://127.0.0.1/0",
    }
    ended = pulse("up", **environment_for(tmp_path / "data") | nowhere)
    assert ended.returncode == 1
    assert "The Postgres of DATABASE_URL is not there" in ended.stderr
    assert processes_of(tmp_path / "data") == []


def test_a_wrong_setting_is_a_usage_error_that_names_it(tmp_path: Path) -> None:
    ended = pulse("up", PULSE_GAPI_PORT="eighty", PULSE_DATA_DIR=str(tmp_path))
    assert ended.returncode == 2
    assert "PULSE_GAPI_PORT" in ended.stderr
