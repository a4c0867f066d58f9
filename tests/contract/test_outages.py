"""Orders that arrive while Redis or Postgres is away."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from pulse_core.db import psycopg2_url
from pulse_ops.stack.ports import free_port
from tests.contract.client import Account, Service, error_of, new_order
from tests.contract.conftest import make_account
from tests.support import servers
from tests.support.processes import Processes, wait_until

ACCEPTED_WITHIN = 2.0


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def start_pulse(processes: Processes, **environment: str) -> Service:
    child, url = processes.pulse(**environment)
    return Service("pulse", url, processes.environment["PULSE_SERVICE_PRIVATE_KEY"], child.log_path)


def start_gapi(processes: Processes, pulse: Service) -> Service:
    child, url = processes.gapi(PULSE_URL=pulse.url)
    return Service("gapi", url, processes.environment["PULSE_JWT_KEY"], child.log_path)


@pytest.mark.parametrize("is_silent", [False, True], ids=["refused", "silent"])
def test_an_order_is_accepted_without_redis(
    processes: Processes, trader: Account, silent_port: int, is_silent: bool
) -> None:
    port = silent_port if is_silent else free_port()
    pulse = start_pulse(processes, PULSE_QUEUE_URL=f"redis://127.0.0.1:{port}/0")
    gapi = start_gapi(processes, pulse)
    for _ in range(3):
        answer = gapi.send("POST", "/api/orders", trader, json=new_order(), timeout=ACCEPTED_WITHIN)
        assert answer.status_code == 202
    ready = pulse.send("GET", "/ready")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    assert "redis" in ready.json()["degraded"]
    assert gapi.send("GET", "/ready").status_code == 200


def test_without_postgres_nothing_is_half_written_and_orders_go_on_afterwards(
    processes: Processes, tmp_path: Path
) -> None:
    with servers.running_postgres(tmp_path) as postgres:
        services_url = postgres.migrated()
        engine = create_engine(psycopg2_url(services_url))
        with engine.connect() as connection:
            trader = make_account(bind=connection)
        engine.dispose()
        pulse = start_pulse(processes, DATABASE_URL=services_url)
        gapi = start_gapi(processes, pulse)
        bodies = [new_order() for _ in range(4)]
        assert gapi.send("POST", gapi.orders, trader, json=bodies[0]).status_code == 202

        postgres.stop()
        for body in bodies[1:]:
            for service in (gapi, pulse):
                answer = service.send("POST", service.orders, trader, json=body, timeout=5)
                assert error_of(answer)[:2] == (503, "SERVICE_UNAVAILABLE")
        for one in (pulse, gapi):
            wait_until(lambda one=one: one.send("GET", "/ready").status_code == 503)  # type: ignore[misc]
            assert error_of(one.send("GET", "/ready"))[2] == {"missing": ["postgres"]}
        assert pulse.send("GET", "/health").status_code == 200

        postgres.start()
        wait_until(lambda: gapi.send("GET", "/ready").status_code == 200)
        assert orders_and_events(postgres.url()) == (1, 1)
        assert [gapi.send("POST", gapi.orders, trader, json=body).status_code for body in bodies] == [202] * 4
        assert orders_and_events(postgres.url()) == (4, 4)


def test_a_postgres_that_hangs_is_unavailable(processes: Processes, trader: Account, silent_port: int) -> None:
    pulse = start_pulse(processes, DATABASE_URL=f"postgresql://x:y@127.0.0.1:{silent_port}/pulse")
    answer = pulse.send("POST", pulse.orders, trader, json=new_order(), timeout=5)
    assert error_of(answer)[:2] == (503, "SERVICE_UNAVAILABLE")


def orders_and_events(url: str) -> tuple[int, int]:
    engine = create_engine(psycopg2_url(url))
    with engine.connect() as connection:
        orders = connection.scalar(text("SELECT count(*) FROM orders"))
        events = connection.scalar(text("SELECT count(*) FROM slice_events"))
    engine.dispose()
    return orders, events


def test_a_restarted_pulse_costs_no_order(processes: Processes, trader: Account) -> None:
    port = free_port()
    child, url = processes.pulse(port)
    pulse = Service("pulse", url, processes.environment["PULSE_SERVICE_PRIVATE_KEY"], child.log_path)
    gapi = start_gapi(processes, pulse)
    for _ in range(3):
        assert gapi.place(trader).status_code == 202
        child.stop(10)
        servers.start(child)


def test_the_same_order_survives_a_pulse_that_died_before_answering(processes: Processes, trader: Account) -> None:
    child, url = processes.pulse(free_port())
    pulse = Service("pulse", url, processes.environment["PULSE_SERVICE_PRIVATE_KEY"], child.log_path)
    gapi = start_gapi(processes, pulse)
    body = new_order()
    child.kill()
    assert error_of(gapi.send("POST", gapi.orders, trader, json=body))[0] in (502, 503)
    servers.start(child)
    first = gapi.send("POST", gapi.orders, trader, json=body)
    again = gapi.send("POST", gapi.orders, trader, json=body)
    assert first.json() == again.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
