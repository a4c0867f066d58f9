"""The page's steps for three hosts, followed by hand: the primary is lost with its host, and a standby takes over."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from pulse_ops.stack import binaries
from pulse_ops.stack.child import Child
from pulse_ops.stack.postgres import EmbeddedPostgres
from tests.rigs.guide.operator import Operator, an_operator, as_superuser, own_words_for
from tests.rigs.guide.page import Example, examples
from tests.support import hosts
from tests.support.distance import a_queue, let_hosts_in, standing_on
from tests.support.environment import environment_of
from tests.support.hosts import Host
from tests.support.installation import SETTINGS, Installation
from tests.support.processes import Processes, wait_until
from tests.support.servers import FAST, RunningPostgres
from tests.support.standby import query

pytestmark = pytest.mark.timeout(600)

PAGE = Path(__file__).parents[3] / "docs" / "deployment.md"
LET_IN, COPY, CONFIRM, ASK, PROMOTE, FOLLOW, LOOK = examples(PAGE, "On three hosts")
CONFIRMED_BY = "'ANY 1 (two, three)'"
# Postgres's own, on each host.
PORT = 5432


@dataclass
class Place:
    """A host with the place of a Postgres, and somebody at a terminal there."""

    host: Host
    folder: Path
    postgres: RunningPostgres
    operator: Operator

    def follow(self, step: Example, said: dict[str, str] | None = None) -> str:
        """Run a block, with these words for what it says of hosts; what it printed."""
        self.operator.own_words |= said or {}
        return self.operator.follow(step).stdout.strip()

    def start(self) -> None:
        owner = self.folder.stat()
        for path in (self.folder / "data", *(self.folder / "data").rglob("*")):
            shutil.chown(path, owner.st_uid, owner.st_gid)
        with standing_on(self.host):
            self.postgres.start()

    def become_standby_of(self, primary: "Place") -> None:
        self.follow(COPY, {"NAME=two": f"NAME={self.host.name}", "PRIMARY=one": f"PRIMARY={primary.host.address}"})
        self.start()
        wait_until(lambda: self.host.name in primary.followers(), 60, f"{self.host.name} to follow")

    def followers(self) -> list[object]:
        with standing_on(self.host):
            return query(self.postgres.url(), "SELECT application_name FROM pg_stat_replication")


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Place, ...]]:
    """The primary with its tables on the first host, and a standby on each of the others."""
    with hosts.network("one", "two", "three") as network, ExitStack() as opened:
        one, two, three = (a_place(host, tmp_path, opened) for host in network)
        with standing_on(one.host):
            one.postgres.start()
            one.postgres.server.create_database()
            let_hosts_in(one.postgres, one.folder.parent)
            one.postgres.migrated()
        one.follow(LET_IN)
        for standby in (two, three):
            standby.become_standby_of(one)
        two.follow(CONFIRM, {CONFIRMED_BY: "'ANY 1 (one, three)'"})
        three.follow(CONFIRM, {CONFIRMED_BY: "'ANY 1 (one, two)'"})
        one.follow(CONFIRM)
        yield one, two, three


def a_place(host: Host, folder: Path, opened: ExitStack) -> Place:
    """All have the first one's passwords, as a copy of a server has."""
    here = folder / host.name / "postgres"
    here.mkdir(parents=True)
    for name in ("password", "services_password"):
        if (first := folder / "one" / "postgres" / name).exists():
            shutil.copy(first, here)
    server = EmbeddedPostgres(here, PORT, FAST | {"listen_addresses": "*"})
    postgres = RunningPostgres(server, Child(server.program(), folder / host.name / "postgres.log"))
    opened.callback(postgres.stop)
    own_words = own_words_for(
        PAGE,
        {
            **as_superuser(server.url("postgres"), "psql"),
            "sudo -u postgres pg_basebackup": str(binaries.postgres_bin() / "pg_basebackup"),
            "/var/lib/postgresql/18/main": str(here / "data"),
        },
    )
    return Place(host, here, postgres, a_terminal(host, folder / host.name / "terminal", {}, own_words, opened))


def a_terminal(
    host: Host, folder: Path, variables: dict[str, str], own_words: dict[str, str], opened: ExitStack
) -> Operator:
    folder.mkdir()
    with standing_on(host):
        return opened.enter_context(an_operator(folder, variables, own_words))


@pytest.fixture
def installation(places: tuple[Place, ...], tmp_path: Path) -> Iterator[Installation]:
    """Workers on the first two hosts, pulse and gapi on the second, the queue, beat and the exchange on the third."""
    one, two, three = places
    services = one.postgres.server.services_url().replace("127.0.0.1", "{}")
    addresses = ",".join(f"{place.host.address}:{PORT}" for place in places)
    url = services.replace(f"{{}}:{PORT}", addresses) + "?target_session_attrs=read-write"
    with ExitStack() as opened:
        with standing_on(three.host):
            queue_url = opened.enter_context(a_queue(three.host, tmp_path))
        environment = opened.enter_context(environment_of(url, queue_url)) | SETTINGS
        exchange = Processes(tmp_path, environment, three.host.address)
        opened.callback(exchange.close)
        with standing_on(three.host):
            _, exchange_url = exchange.exchange()
        made = Installation(
            tmp_path, environment | {"PULSE_PAPER_EXCHANGE_URL": exchange_url}, two.host, url, exchange_url
        )
        opened.callback(made.close)
        made.open({}, {})
        with standing_on(three.host):
            made.on(three.host).beat()
        for host in (one.host, two.host):
            made.worker(host, "slices")
            made.worker(host, "control")
        yield made


def test_the_primary_and_its_host_are_lost_as_the_page_has_it(
    installation: Installation, places: tuple[Place, ...], tmp_path: Path
) -> None:
    one, two, three = places
    installation.trade()
    installation.wait_for_trades()

    one.host.fall_silent()
    one.postgres.child.kill()
    for child in installation.on(one.host).children:
        child.kill()
    has_more, other = sorted((two, three), key=lambda place: position(place.follow(ASK)), reverse=True)
    assert has_more.follow(PROMOTE) == "t"
    its_name = {"application_name=three": f"application_name={other.host.name}"}
    other.follow(FOLLOW, {"host=two": f"host={has_more.host.address}", **its_name})
    for kind in ("slices", "control"):
        installation.worker(three.host, kind)
    installation.wait_for_trades()

    with ExitStack() as opened:
        terminal = a_terminal(two.host, tmp_path / "terminal", dict(installation.environment), {}, opened)
        assert "WRONG" not in terminal.follow(LOOK).stdout
    one.host.recover()
    one.become_standby_of(has_more)
    installation.wait_for_trades()

    installation.come_to_an_end()
    assert installation.broken_promises() == []


def position(told: str) -> tuple[int, ...]:
    """A place in Postgres's log, such as 0/3000148, so that a later one is greater."""
    return tuple(int(part, 16) for part in told.split("/"))
