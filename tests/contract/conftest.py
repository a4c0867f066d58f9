"""gapi and pulse as processes, shared by the tests of the contract, and an account for each test."""

import secrets
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Connection
from ulid import ULID

from api_contract import ids
from api_contract.scopes import Role
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.identity.store import accounts
from tests.contract.client import Account, Service
from tests.support.processes import Processes

# What is answered matters, not how soon a busy machine does; but sooner than a client of the tests gives up.
PATIENT = {"PULSE_ANSWER_TIMEOUT": "12", "PULSE_LOGIN_TIMEOUT": "12"}


# They report themselves for as long as they live: no test elsewhere is to find their rows.
@pytest.fixture(scope="package")
def services(
    request: pytest.FixtureRequest, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Service]]:
    assert isinstance(request.node, pytest.Package), "without __init__.py, a package's fixture lives as long as the run"
    processes = Processes(tmp_path_factory.mktemp("services"), environment)
    try:
        pulse, pulse_url = processes.pulse()
        gapi, gapi_url = processes.gapi(PULSE_URL=pulse_url, PULSE_TRUSTED_PROXIES="1", **PATIENT)
        yield {
            "gapi": Service("gapi", gapi_url, environment["PULSE_JWT_KEY"], gapi.log_path),
            "pulse": Service("pulse", pulse_url, environment["PULSE_SERVICE_PRIVATE_KEY"], pulse.log_path),
        }
    finally:
        processes.close()


@pytest.fixture
def gapi(services: dict[str, Service]) -> Service:
    return services["gapi"]


@pytest.fixture
def start_gapi(services: dict[str, Service], processes: Processes) -> Callable[..., Service]:
    """Starts a gateway with settings of its own, in front of the pulse of all tests."""

    def start(**settings: str) -> Service:
        here = {"PULSE_URL": services["pulse"].url, "PULSE_TRUSTED_PROXIES": "1", **PATIENT}
        child, url = processes.gapi(**here | settings)
        return Service("gapi", url, services["gapi"].key, child.log_path)

    return start


@pytest.fixture
def pulse(services: dict[str, Service]) -> Service:
    return services["pulse"]


@pytest.fixture(params=["gapi", "pulse"])
def service(request: pytest.FixtureRequest, services: dict[str, Service]) -> Service:
    """Each test that asks for it runs through the gateway, and again directly on pulse."""
    return services[request.param]


@pytest.fixture
def new_account(environment: dict[str, str]) -> Callable[..., Account]:
    return make_account


@pytest.fixture
def trader(new_account: Callable[..., Account]) -> Account:
    return new_account()


def make_account(role: Role = Role.TRADER, bind: Connection | None = None) -> Account:
    now = utcnow()
    account_id, username = ids.account_id(ULID.from_datetime(now)), f"trader-{secrets.token_hex(8)}"
    password, password_hash = _password()
    with db.transaction(bind) as session:
        accounts.add(session, account_id, username, password_hash, role, now)
    return Account(account_id, username, password, role)


@cache
def _password() -> tuple[str, str]:
    # Hashing is slow by design: once is enough for all accounts of a run, and each login is checked at its cost.
    password = secrets.token_urlsafe(16)
    return password, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(password)
