"""Hosts that are cut off, in one direction or both, or vanish: nothing is sent twice, and no order is forgotten."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import hosts
from tests.support.distance import a_database, a_queue, standing_on
from tests.support.environment import environment_of
from tests.support.hosts import Host
from tests.support.installation import SETTINGS, Installation
from tests.support.processes import Processes

pytestmark = pytest.mark.timeout(400)

NAMES = ("front", "database", "queue", "exchange", "worker", "spare")
CUT_SECONDS = 3.0
Cut = Callable[[Host], None]


def sends_nothing(host: Host) -> None:
    host.lose(sent=1)


def receives_nothing(host: Host) -> None:
    host.lose(received=1)


def vanishes(host: Host) -> None:
    host.fall_silent()


def is_unplugged(host: Host) -> None:
    host.unplug()


CUTS: tuple[tuple[str, Cut], ...] = (
    ("exchange", sends_nothing),
    ("exchange", receives_nothing),
    ("database", sends_nothing),
    ("database", receives_nothing),
    ("queue", sends_nothing),
    ("queue", is_unplugged),
    ("worker", receives_nothing),
    ("worker", sends_nothing),
)


@pytest.fixture
def network() -> Iterator[dict[str, Host]]:
    with hosts.network(*NAMES) as made:
        yield dict(zip(NAMES, made, strict=True))


@pytest.fixture
def installation(network: dict[str, Host], tmp_path: Path) -> Iterator[Installation]:
    """Postgres, Redis, the exchange and the slices worker on a host each, everything else on another one."""
    with ExitStack() as servers:
        with standing_on(network["database"]):
            url = servers.enter_context(a_database(network["database"], tmp_path))
        with standing_on(network["queue"]):
            queue_url = servers.enter_context(a_queue(network["queue"], tmp_path))
        environment = servers.enter_context(environment_of(url, queue_url)) | SETTINGS
        exchange = Processes(tmp_path, environment, network["exchange"].address)
        servers.callback(exchange.close)
        with standing_on(network["exchange"]):
            _, exchange_url = exchange.exchange()
        environment |= {"PULSE_PAPER_EXCHANGE_URL": exchange_url}
        made = Installation(tmp_path, environment, network["front"], url, exchange_url)
        servers.callback(made.close)
        made.open({}, {})
        made.worker(network["front"], "control")
        with standing_on(network["front"]):
            made.on(network["front"]).beat()
        yield made


def test_orders_trade_on_through_every_cut(installation: Installation, network: dict[str, Host]) -> None:
    worker = installation.worker(network["worker"], "slices")
    installation.trade()
    installation.wait_for_trades()

    for name, cut in CUTS:
        cut(network[name])
        time.sleep(CUT_SECONDS)
        network[name].recover()
        installation.wait_for_trades()

    # Half open: the worker's host is gone without a word, and does not know its connections when it is back.
    vanishes(network["worker"])
    worker.kill()
    installation.worker(network["spare"], "slices")
    installation.wait_for_trades()
    network["worker"].recover()

    installation.come_to_an_end()
    assert installation.broken_promises() == []
