"""The health checks of docker-compose.yml, run as they stand against the processes they are for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from pulse_ops.stack import binaries, probes
from pulse_ops.stack import processes as commands
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.processes import Listen
from tests.contract import compose
from tests.contract.client import Service
from tests.contract.test_compose import SECRETS
from tests.support.processes import LOOPBACK, WATCHED_AT, Processes, wait_until

OK, FAILED = 0, 1


def check(service: str, environment: dict[str, str], port: str | None = None) -> int:
    """The exit code of the service's health check, which may ask another port than in its container."""
    kind, *command = compose.load(SECRETS)["services"][service]["healthcheck"]["test"]
    if port is not None:
        command[-2] = port
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    here = {**environment, "PATH": path}
    if kind == "CMD-SHELL":
        command = ["sh", "-c", *command]
    return subprocess.run(command, env=here, capture_output=True, timeout=60).returncode


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


@pytest.mark.parametrize("name", ["gapi", "pulse"])
def test_a_service_that_is_ready_is_healthy(
    name: str, services: dict[str, Service], environment: dict[str, str]
) -> None:
    assert check(name, environment, port_of(WATCHED_AT[services[name].url])) == OK


def test_a_gateway_without_pulse_is_not_healthy(processes: Processes, environment: dict[str, str]) -> None:
    _, url = processes.gapi(PULSE_URL=f"http://{LOOPBACK}:{free_port()}")
    assert check("gapi", environment, port_of(WATCHED_AT[url])) == FAILED


def test_a_service_that_is_away_is_not_healthy(environment: dict[str, str]) -> None:
    assert check("gapi", environment, str(free_port())) == FAILED


def test_an_open_exchange_is_healthy(processes: Processes, environment: dict[str, str]) -> None:
    _, url = processes.exchange()
    assert check("exchange", environment, port_of(url)) == OK


def test_flower_is_healthy_without_its_password(processes: Processes, environment: dict[str, str]) -> None:
    listen = Listen(LOOPBACK, free_port())
    is_ready = probes.http_ok(f"http://{LOOPBACK}:{listen.port}/healthcheck")
    processes.run("flower", commands.flower(listen), is_ready, {"FLOWER_BASIC_AUTH": SECRETS["FLOWER_BASIC_AUTH"]})
    assert check("flower", environment, str(listen.port)) == OK


@pytest.mark.parametrize("service", ["worker-control", "beat"])
def test_what_waits_for_its_servers_is_healthy_until_it_has_ended(
    service: str, processes: Processes, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "alive"
    away = {"DATABASE_URL": f"postgresql://nobody@{LOOPBACK}:{free_port()}/none", "PULSE_ALIVE_FILE": str(file)}
    command = {"worker-control": commands.worker_control(), "beat": commands.beat()}[service]
    child = processes.run(service, command, probes.always, away)
    wait_until(lambda: check(service, {**environment, **away}) == OK, what="a process that lives")
    child.stop(10)
    os.utime(file, (0, file.stat().st_mtime - 40))
    assert check(service, {**environment, **away}) == FAILED


def test_redis_takes_its_configuration(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "valkey.conf"
    content = compose.load(SECRETS)["configs"]["redis"]["content"]
    config.write_text(content.replace("/data", str(tmp_path)) + f"bind {LOOPBACK}\nport {port}\n")
    server = subprocess.Popen([binaries.redis_server(), config], stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(host=LOOPBACK, port=port, password=SECRETS["REDIS_PASSWORD"]) as client:
            wait_until(lambda: answers(client), what="an answer of the server")
            assert client.config_get("appendonly") == {"appendonly": "yes"}
    finally:
        server.terminate()
        server.wait(10)


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
