"""One of a synchronous pair is lost under load: nothing acknowledged is lost or sent twice."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from pulse_core import fitness
from pulse_ops.doctor.findings import Trouble
from tests.support import hosts
from tests.support.distance import standing_on
from tests.support.environment import environment_of
from tests.support.hosts import Host
from tests.support.installation import SETTINGS, Installation
from tests.support.processes import WATCHED_AT, wait_until
from tests.support.servers import running_redis
from tests.support.stacks import PULSE
from tests.support.standby import SynchronousPair, synchronous_pair

pytestmark = pytest.mark.timeout(600)


@dataclass
class Failover:
    """`urls` name both hosts, in each form; half of the processes go by the one and half by the other."""

    pair: SynchronousPair
    installation: Installation
    urls: tuple[str, str]

    def troubles(self) -> dict[str, str]:
        """What the doctor says of each trouble."""
        found = json.loads(self.pulse(self.urls[0], "doctor", "--json").stdout)
        return {one["trouble"]: f"{one['check']}: {one['verdict']}, {one['fix']}" for one in found if one["trouble"]}

    def ready(self, url: str) -> tuple[int, str]:
        """What a service answers to who asks whether orders can be taken."""
        with self.installation.here():
            answer = requests.get(f"{WATCHED_AT[url]}/ready", timeout=15)
            return answer.status_code, answer.text

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
        watched = {"PULSE_METRICS_HOST": front.address}
        made.open({"DATABASE_URL": urls[0], **watched}, watched)
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


def test_without_its_only_standby_nothing_is_confirmed_until_it_is_back_or_done_without(failover: Failover) -> None:
    installation, pair = failover.installation, failover.pair
    installation.trade(pause=0.3)
    installation.wait_for_trades()

    pair.child.kill()
    told: dict[str, str] = {}

    def is_told() -> bool:
        told.update(failover.troubles())
        return Trouble.DATABASE_AWAITS_STANDBY in told

    wait_until(is_told, 30, "the trouble")
    acknowledged = len(installation.trader.acknowledged)
    assert told[Trouble.DATABASE_AWAITS_STANDBY].endswith(Trouble.DATABASE_AWAITS_STANDBY.next_step)
    assert set(told) <= {Trouble.DATABASE_AWAITS_STANDBY, Trouble.SWEEPS_LATE, Trouble.ORDER_STUCK}
    status, answer = failover.ready(installation.pulse_url)
    assert (status, fitness.COMMITS_WAIT in answer) == (503, True), answer
    assert failover.ready(installation.gapi_url)[0] == 503
    assert len(installation.trader.acknowledged) == acknowledged
    pair.bring_the_standby_back()
    installation.wait_for_trades()

    pair.child.kill()
    wait_until(pair.commits_wait, 30, "a commit that waits")
    pair.go_without_a_standby()
    installation.wait_for_trades()

    installation.come_to_an_end()
    assert len(installation.trader.acknowledged) > acknowledged
    wait_until(lambda: not failover.troubles(), 30, "an installation that is well")
    assert failover.ready(installation.gapi_url)[0] == 200
    judged = failover.pulse(failover.urls[0], "verify", "--final", "--json")
    assert judged.returncode == 0, judged.stdout + judged.stderr
