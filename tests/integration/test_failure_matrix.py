"""Whatever happens to a worker, wherever on the way of a slice: it is at the broker once, and no order is forgotten.

`docs/reliability.md` shows the matrix: the faults of FATES, the points at which they strike, and how often a slice is
claimed until it works.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from api_contract.vocabulary import SliceStatus
from pulse_core import clock, db
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.leases import expire_claims
from pulse_ops.stack.ports import free_port
from tests.support import hosts
from tests.support.broker import SimulatedBroker
from tests.support.distance import a_database, move_to, standing_on
from tests.support.factories import a_slice, a_split_order, later, settle_delay, slices_of, watch_the_book
from tests.support.hosts import Host
from tests.support.pgbouncer import running_pgbouncer
from tests.support.processes import wait_until
from tests.support.servers import connected_to, forget_settings, running_postgres
from tests.support.standing_worker import Going, Point, StandingWorker, standing_worker

HOLDERS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
RECORDERS = """
    UNION
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'
"""
# By the worker's own clock its lease is over.
LONG_AFTER = Going(seconds_later=40)

Fate = Callable[[StandingWorker, str], object]
Workers = dict[Point, tuple[str, StandingWorker]]


def killed(worker: StandingWorker, slice_id: str) -> None:
    worker.kill()
    wait_until(lambda: not fence_holders(), 20, "the end of its sessions")


def frozen(worker: StandingWorker, slice_id: str) -> None:
    worker.stop()
    stood = a_slice(slice_id).status
    others_work(slice_id)
    assert a_slice(slice_id).status is stood
    worker.wake()
    worker.go_on(LONG_AFTER)


def cut(worker: StandingWorker, slice_id: str) -> None:
    cut_fences()
    worker.go_on()


def cut_and_taken_over(worker: StandingWorker, slice_id: str) -> None:
    """What it records over another connection is cut, too: nobody takes over while that holds the row."""
    cut_fences(RECORDERS)
    others_work(slice_id)
    worker.go_on(LONG_AFTER)


def clock_ahead(worker: StandingWorker, slice_id: str) -> None:
    """The database's clock jumps, and the lease is over for everybody but the worker."""
    others_work(slice_id)
    worker.go_on()


def given_back(worker: StandingWorker, slice_id: str) -> None:
    """The worker lives on, and is done with a slice that it has not recorded."""
    worker.go_on(Going(fails=True))


def doubled(worker: StandingWorker, slice_id: str) -> None:
    """Its process forks."""
    worker.go_on(Going(is_doubled=True))


# How often a slice is claimed, by the points: before the claim, after it, before the wire, on it, after the answer, and
# while that is recorded. None: between the last look and the request stands nothing; workers that fork do not start.
FATES: dict[Fate, Sequence[int | None]] = {
    killed: (1, 2, 2, 1, 1, 1),
    frozen: (1, 2, 2, 1, 1, 1),
    cut: (2, 2, 1, 1, 1, 1),
    cut_and_taken_over: (1, 2, 2, 1, 1, 1),
    clock_ahead: (1, 1, 1, 1, 1, 1),
    given_back: (1, 2, 2, 1, 1, 1),
    doubled: (1, 1, None, None, None, None),
}
# Where all connections of all workers end at once, and others take over.
ALL_CUT = {point: claims or 0 for point, claims in zip(Point, FATES[cut_and_taken_over], strict=True)}
CELLS = [
    pytest.param(fate, point, claims, id=f"{fate.__name__}-{point.name}".lower())
    for fate, row in FATES.items()
    for point, claims in zip(Point, row, strict=True)
    if claims is not None
]


@pytest.mark.parametrize(("fate", "point", "claims"), CELLS)
def test_a_slice_is_at_the_broker_once_whatever_becomes_of_its_worker(
    broker: SimulatedBroker, fate: Fate, point: Point, claims: int
) -> None:
    one = slices_of(a_split_order())[0].id

    with standing_worker(one, point, broker) as worker:
        fate(worker, one)
        others_work(one)

    check(broker, {one: claims})


def test_a_restart_of_the_database_sends_nothing_twice_and_forgets_nothing(
    broker: SimulatedBroker, tmp_path: Path
) -> None:
    with running_postgres(tmp_path) as postgres, connected_to(postgres.migrated()), at_all_points(broker) as workers:
        postgres.child.kill()
        postgres.start()
        check_all_were_cut(broker, workers)


def test_a_restart_of_a_proxy_sends_nothing_twice_and_forgets_nothing(
    broker: SimulatedBroker, clean_database: str, tmp_path: Path
) -> None:
    port = free_port()
    with ExitStack() as proxy:
        url = proxy.enter_context(running_pgbouncer(tmp_path, clean_database, port, pool_mode="session"))
        with connected_to(url), at_all_points(broker) as workers:
            proxy.close()
            with running_pgbouncer(tmp_path, clean_database, port, pool_mode="session"):
                check_all_were_cut(broker, workers)


def test_a_host_that_vanishes_and_comes_back_sends_nothing_twice_and_forgets_nothing(
    broker: SimulatedBroker, tmp_path: Path
) -> None:
    with (
        hosts.network("server", "client") as (server, client),
        standing_on(server),
        a_database(server, tmp_path) as url,
        at_all_points(broker, partial(move_worker, client, url)) as workers,
    ):
        client.fall_silent()
        wait_until(lambda: not fence_holders(), 30, "the end of their sessions")
        for one, _worker in workers.values():
            others_work(one)
        check(broker, taken_over(workers))
        client.recover()
        for _one, worker in workers.values():
            worker.go_on(LONG_AFTER)
        check(broker, taken_over(workers))


def test_the_page_shows_the_matrix() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text()
    (table,) = (part for part in page.split("\n\n") if part.startswith("| fault | before the claim"))
    shown = [tuple(cell.strip() for cell in line.split("|")[2:-1]) for line in table.splitlines()[2:]]
    whole_machines = [FATES[cut_and_taken_over]] * 3
    rows = [*FATES.values(), *whole_machines]
    assert shown == [tuple("-" if claims is None else str(claims) for claims in row) for row in rows]


def move_worker(host: Host, database_url: str) -> None:
    """Let a worker's process go on, on another host than its database; its server notices sooner than usual."""
    move_to(host)
    os.environ["DATABASE_URL"] = database_url
    forget_settings()
    soon = {f"tcp_keepalives_{name}": "1" for name in ("idle", "interval", "count")}
    db._KEEPALIVES |= soon | {"tcp_user_timeout": "2000"}


@contextmanager
def at_all_points(broker: SimulatedBroker, begin: Callable[[], object] = lambda: None) -> Iterator[Workers]:
    """Workers with a slice each, one at each point."""
    with ExitStack() as alive:
        workers: Workers = {}
        for point in Point:
            one = slices_of(a_split_order())[0].id
            workers[point] = one, alive.enter_context(standing_worker(one, point, broker, begin))
        yield workers


def check_all_were_cut(broker: SimulatedBroker, workers: Workers) -> None:
    db.engine().dispose()
    for slice_id, worker in workers.values():
        others_work(slice_id)
        worker.go_on(LONG_AFTER)
        others_work(slice_id)
    check(broker, taken_over(workers))


def taken_over(workers: Workers) -> dict[str, int]:
    return {slice_id: ALL_CUT[point] for point, (slice_id, _worker) in workers.items()}


def others_work(slice_id: str) -> None:
    """What other processes do, up to long after the lease of a claim: each of them once, and the slice's message."""
    wait_until(clock.is_steady, 20, "a steady clock")
    execute_slice(slice_id)
    lease_over = later(settings().lease * 2)
    expire_claims(lease_over)
    if a_slice(slice_id).status is SliceStatus.UNKNOWN:
        watch_the_book(lease_over, lease_over + settle_delay())
    one = a_slice(slice_id)
    if one.status is SliceStatus.SCHEDULED:
        execute_slice(slice_id, clock=lambda: max(one.due_at, utcnow()))


def cut_fences(others: str = "") -> None:
    with db.transaction() as session:
        assert session.scalars(text(f"SELECT pg_terminate_backend(pid, 5000) FROM ({HOLDERS}{others}) AS cut")).all()


def fence_holders() -> Sequence[int]:
    with db.transaction() as session:
        return session.scalars(text(HOLDERS)).all()


def check(broker: SimulatedBroker, claims: dict[str, int]) -> None:
    """Each slice works with the one order that the broker has for it, after so many claims."""
    slices = {slice_id: a_slice(slice_id) for slice_id in claims}
    assert {one: (seen.status, seen.attempts) for one, seen in slices.items()} == {
        one: (SliceStatus.WORKING, expected) for one, expected in claims.items()
    }
    assert sorted(broker.book) == sorted(seen.broker_order_id or "" for seen in slices.values())
