"""The snapshot of a disk is put back: the same server and timeline with an older log, and nobody runs who saw it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulse_core import brokers, config, db
from pulse_core.clock import utcnow
from pulse_core.postgres.lineage import Seen
from pulse_core.trading.alarms import HoldCode
from pulse_core.trading.recovery import remembered, sending_hold
from pulse_core.trading.slice.execute import execute_slice
from tests.support import servers
from tests.support.broker import SimulatedBroker, accept_and_fill
from tests.support.factories import a_split_order, slices_of
from tests.support.lost import start_again
from tests.support.servers import RunningPostgres


@pytest.fixture
def postgres_of_its_own(redis_url: str, tmp_path: Path) -> Iterator[RunningPostgres]:
    servers.empty_redis(redis_url)
    with servers.running_postgres(tmp_path) as running, servers.connected_to(running.migrated()):
        yield running


def new_processes() -> None:
    """As if all were started anew: whatever this one knows of the database is forgotten."""
    servers.forget_settings()
    start_again()
    sending_hold._setbacks.cache_clear()


def a_snapshot(postgres: RunningPostgres, folder: Path) -> Path:
    """A copy of the server's disk, as it stands now; the server goes on."""
    postgres.stop()
    data, copy = folder / "postgres" / "data", folder / "postgres" / "snapshot"
    shutil.copytree(data, copy)
    for one in (copy, *copy.rglob("*")):
        shutil.chown(one, data.stat().st_uid, data.stat().st_gid)
    postgres.start()
    db.engine().dispose()
    return copy


def put_back(postgres: RunningPostgres, snapshot: Path) -> None:
    postgres.stop()
    data = snapshot.with_name("data")
    shutil.rmtree(data)
    snapshot.rename(data)
    postgres.start()


def test_nothing_is_sent_from_a_disk_that_was_put_back_before_it_is_held(
    postgres_of_its_own: RunningPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = SimulatedBroker()
    monkeypatch.setattr(brokers, "connect", lambda _account: broker)
    broker.answers = [accept_and_fill] * 9
    first, second, *_ = slices_of(a_split_order())
    execute_slice(first.id)
    before, snapshot = sending_hold.standing().present, a_snapshot(postgres_of_its_own, tmp_path)
    forgotten = a_split_order()
    sending_hold.watch_hold(utcnow())

    put_back(postgres_of_its_own, snapshot)
    new_processes()
    assert (sending_hold.standing().present, slices_of(forgotten)) == (before, [])
    assert execute_slice(second.id, clock=lambda: second.due_at) is None

    hold = sending_hold.standing().hold
    assert hold is not None
    assert (hold.code, len(broker.placements)) == (HoldCode.LOG_WENT_BACK, 1)

    # It is held once: whoever starts after an operator's release sends.
    sending_hold.release("ops")
    new_processes()
    assert execute_slice(second.id, clock=lambda: second.due_at) is not None
    assert sending_hold.standing().hold is None


def test_what_was_seen_of_another_database_says_nothing_of_this_one(broker: SimulatedBroker) -> None:
    remembered.note(Seen("another database", 2**60))
    new_processes()

    assert sending_hold.may_send(broker)
    assert sending_hold.standing().hold is None


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://127.0.0.1:1"])
def test_without_redis_nothing_is_remembered_and_nothing_held_up(
    broker: SimulatedBroker, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PULSE_QUEUE_URL", url)
        config.settings.cache_clear()
        start_again()

        sending_hold.watch_hold(utcnow())

        assert remembered.last_seen() is None
        assert sending_hold.may_send(broker)
    config.settings.cache_clear()
