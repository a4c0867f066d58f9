"""What tests share: one Postgres and one Redis for each pytest process, emptied for each test that asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import servers
from tests.support.environment import environment_of
from tests.support.processes import Processes
from tests.support.servers import RunningPostgres, RunningRedis

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
    with environment_of(database_url, redis_url) as variables:
        yield variables


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
