"""The primary is lost under load and its synchronous standby takes over: nothing acknowledged is lost or sent twice."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import hosts
from tests.support.distance import standing_on
from tests.support.environment import environment_of
from tests.support.hosts import Host
from tests.support.installation import SETTINGS, Installation
from tests.support.servers import running_redis
from tests.support.stacks import PULSE
from tests.support.standby import SynchronousPair, synchronous_pair

pytestmark = pytest.mark.timeout(400)


@dataclass
class Failover:
    """`urls` name both hosts, in each form; half of the processes go by the one and half by the other."""

    pair: SynchronousPair
    installation: Installation
    urls: tuple[str, str]

    def pulse(self, url: str, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a command with this URL, on the host that everything but Postgres runs on."""
        environment = {**self.installation.environment, "DATABASE_URL": url, **variables}
        with self.installation.here():
            return subprocess.run(
                (PULSE, *command), env=environment, capture_output=True, text=True, timeout=60, check=False
            )


@pytest.fixture
def network() -> Iterator[tuple[Host, ...]]:
    with hosts.network("front", "first", "second") as made:
        yield made


@pytest.fixture
def failover(network: tuple[Host, ...], tmp_path: Path) -> Iterator[Failover]:
    front, first, second = network
    with ExitStack() as servers:
        pair = servers.enter_context(synchronous_pair(first, second, tmp_path))
        owner, urls = pair.urls(pair.primary.url()), pair.urls(pair.primary.server.services_url())
        with standing_on(front):
            queue_url = servers.enter_context(running_redis(tmp_path)).url
        environment = servers.enter_context(environment_of(urls[0], queue_url)) | SETTINGS
        made = Installation(tmp_path, environment, front, urls[0], "")
        servers.callback(made.close)
        found = Failover(pair, made, urls)
        migrated = found.pulse(urls[1], "migrate", PULSE_OWNER_DATABASE_URL=owner[1])
        assert migrated.returncode == 0, migrated.stderr
        with standing_on(front):
            here = made.on(front)
            _, made.exchange_url = here.exchange()
            here.environment = made.environment = {**environment, "PULSE_PAPER_EXCHANGE_URL": made.exchange_url}
            here.beat(DATABASE_URL=urls[1])
        made.open({"DATABASE_URL": urls[0]}, {})
        made.worker(front, "control", DATABASE_URL=urls[1])
        made.worker(front, "slices", DATABASE_URL=urls[0])
        yield found


@pytest.mark.parametrize("host_vanishes", [False, True], ids=["killed", "its host vanishes"])
def test_a_synchronous_standby_takes_over_without_a_loss(failover: Failover, host_vanishes: bool) -> None:
    installation, pair = failover.installation, failover.pair
    installation.trade(pause=0.1)
    installation.wait_for_trades()
    before = len(installation.trader.acknowledged)

    if host_vanishes:
        # Nobody is told: connections end by time-outs, and each new one tries the lost host first.
        pair.first.fall_silent()
    pair.primary.child.kill()
    pair.promote()
    installation.wait_for_trades()
    pair.first.recover()

    installation.come_to_an_end()
    assert len(installation.trader.acknowledged) > before
    for url in failover.urls:
        assert failover.pulse(url, "migrate", "--check").returncode == 0
        troubles = {one["trouble"] for one in json.loads(failover.pulse(url, "doctor", "--json").stdout)}
        assert not troubles & {"DATABASE_AWAY", "DATABASE_SESSIONS", "DATABASE_READ_ONLY"}
        judged = failover.pulse(url, "verify", "--final", "--json")
        assert judged.returncode == 0, judged.stdout + judged.stderr
        assert json.loads(judged.stdout)["orders"] >= len(installation.trader.acknowledged)
