"""What tests share: one Postgres and one Redis for each pytest process, emptied for each test that asks."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pulse_ops.stack.ports import free_port
from tests.support import servers
from tests.support.processes import Processes
from tests.support.servers import RunningPostgres, RunningRedis
from tests.support.service_token import service_keys

PURPOSES = ("JWT", "CURSOR", "IDEMPOTENCY", "WEBHOOK", "TOTP")

# Tests ask more of the gateway than a client may, and of the broker; those about limits set their own.
UNLIMITED = {f"PULSE_RATE_LIMIT_{name}": "off" for name in ("ACCOUNT", "ORDERS", "ADDRESS", "POSTBACKS")}
UNLIMITED |= {"PULSE_CHECK_WINDOWS": "false", "PULSE_REQUESTS_AT_ONCE": "48", "PULSE_REQUESTS_BESIDE_OTHERS": "12"}

# How fast a test runs says something about the machine, not about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPostgres]:
    with servers.running_postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    with servers.running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="session")
def database_url(postgres: RunningPostgres) -> str:
    """A migrated database, as the role of the services; its rows stay until `clean_database`."""
    return postgres.migrated()


@pytest.fixture(scope="session")
def redis_url(redis_server: RunningRedis) -> str:
    return redis_server.url


@pytest.fixture(scope="session")
def environment(database_url: str, redis_url: str) -> Iterator[dict[str, str]]:
    """The variables every process needs, also set in this one, so that `config.settings()` finds them."""
    variables = {
        "DATABASE_URL": database_url,
        "PULSE_QUEUE_URL": redis_url,
        **service_keys(),
        **{f"PULSE_{purpose}_KEY": secrets.token_urlsafe(32) for purpose in PURPOSES},
        "PULSE_VAULT_KEYS": f"v1:{secrets.token_urlsafe(32)}",
        "PULSE_PAPER_EXCHANGE_URL": f"http://127.0.0.1:{free_port()}",
        "PULSE_LOG_FORMAT": "json",
        # Slices go out at their time; what is about turns under a broker's limits sets its own.
        "PULSE_BROKER_ORDERS_PER_SECOND": "0",
    } | UNLIMITED
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        servers.forget_settings()
        yield {**os.environ, **variables}
    servers.forget_settings()


@pytest.fixture
def clean_database(environment: dict[str, str]) -> str:
    """The URL of the migrated database without a row, with Redis emptied too."""
    servers.empty_database(environment["DATABASE_URL"])
    servers.empty_redis(environment["PULSE_QUEUE_URL"])
    return environment["DATABASE_URL"]


@pytest.fixture
def processes(environment: dict[str, str], tmp_path: Path) -> Iterator[Processes]:
    """Starts real processes, all of which are ended after the test."""
    started = Processes(tmp_path, environment)
    yield started
    started.close()
