"""One process after the other has a clock that is off: nothing goes out early, nothing twice, nobody is refused.

`CLOCKS=all` tries every kind of process ahead and behind, by five seconds and by a minute: four minutes.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.client import Account, Service, new_order
from tests.contract.conftest import make_account
from tests.contract.logins import Login, log_in
from tests.rigs.clocks.faked import library
from tests.rigs.clocks.floor import KINDS, Floor, running_floor
from tests.support import servers
from tests.support.processes import wait_until

ALL = [(kind, seconds) for kind in KINDS for seconds in (-60, -5, 5, 60)]
# The worst of each kind: what it did before all went by one clock.
SAMPLE = [("slices", 60), ("control", 60), ("beat", -60), ("pulse", 60), ("gapi", -60)]
CASES = ALL if os.environ.get("CLOCKS") == "all" else SAMPLE
SENT = 14

# A busy machine takes long to start six processes.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def floor(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    library()
    servers.empty_database(environment["DATABASE_URL"])
    servers.empty_redis(environment["PULSE_QUEUE_URL"])
    with running_floor(environment, tmp_path_factory.mktemp("clocks")) as floor:
        yield floor
    servers.empty_database(environment["DATABASE_URL"])


@pytest.fixture
def gapi(floor: Floor, environment: dict[str, str]) -> Service:
    return Service("gapi", floor.gapi_url, environment["PULSE_JWT_KEY"], Path(os.devnull))


@pytest.mark.parametrize(("kind", "seconds"), CASES)
def test_one_clock_that_is_off_makes_no_difference(floor: Floor, gapi: Service, kind: str, seconds: int) -> None:
    trader = make_account()
    # A third of the first answers are lost: what became of those slices takes a look into a book that lags.
    floor.suffer({"fault": "ack_lost", "probability": 0.3}, {"fault": "book_delay", "seconds": 2})
    odd_one = floor.put_off(kind, seconds)
    path, before = place(gapi, trader), floor.arrivals()
    wait_until(lambda: floor.arrivals() >= before + SENT, 40, "slices at the exchange")
    login = use(gapi, trader, path)
    assert login.send("DELETE", path).status_code == 202
    wait_until(lambda: login.send("GET", path).json()["status"] == "CANCELLED", 60, "the order's end")

    assert floor.broken_promises() == []
    assert kind == "beat" or said_clock_off(odd_one.log_path) == [seconds]


def place(gapi: Service, trader: Account) -> str:
    login = log_in(gapi, trader)
    body = new_order(num_splits=100, duration_minutes=1, total_quantity=200, randomize=False)
    answer = login.send("POST", gapi.orders, json=body)
    assert answer.status_code == 202, answer.text
    location: str = answer.headers["Location"]
    return location


def use(gapi: Service, trader: Account, path: str) -> Login:
    """Call whatever compares instants of two processes; nothing is refused."""
    login = log_in(gapi, trader)
    made = login.make_key()
    for token in (login.access_token, made["api_key"]):
        for _ in range(5):
            answer = gapi.send("GET", path, headers=gapi.bearer(token))
            assert answer.status_code == 200, answer.text
    assert login.refresh().status_code == 200
    old = log_in(gapi, trader)
    assert old.send("POST", "/api/auth/logout-all").status_code == 204
    assert not login.is_believed()
    assert not old.is_believed()
    return log_in(gapi, trader)


def said_clock_off(log: Path) -> list[int]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [round(line["seconds"]) for line in lines if line["event"] == "clock off"]
