"""What time it is comes from Postgres, whatever the clock of this machine shows."""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from celery.app.task import Task
from celery.utils.imports import symbol_by_name
from kombu.asynchronous.timer import to_timestamp
from sqlalchemy import text

from pulse_core import clock, db
from pulse_core.boottime import boottime
from pulse_core.errors import DatabaseUnavailable
from pulse_core.postgres.database_clock import DatabaseClock

CLOSE = timedelta(seconds=0.5)


@dataclass
class Wall:
    """The wall clock of this machine, as far ahead as a test says."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def fresh(environment: dict[str, str], wall: Wall, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The clock of a process that has just started."""
    monkeypatch.setattr(clock, "_database", DatabaseClock(clock._measure, boottime, wall))
    return clock


@pytest.fixture(params=[-60.0, -5.0, 5.0, 60.0])
def ahead(request: pytest.FixtureRequest, wall: Wall) -> timedelta:
    """How far the wall clock of this machine is ahead, as this process sees it."""
    wall.ahead = request.param
    return timedelta(seconds=request.param)


@pytest.fixture
def execute_slice(environment: dict[str, str]) -> Task:
    from pulse_tasks.execute import execute_slice

    return execute_slice


def database_now() -> datetime:
    with db.transaction() as session:
        at: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return at


def test_the_time_is_the_databases(fresh: ModuleType, ahead: timedelta) -> None:
    assert abs(fresh.utcnow() - database_now()) < CLOSE
    assert fresh.utcnow().tzinfo is UTC
    assert fresh.is_steady()


def test_it_never_goes_back_while_nobody_sets_a_clock(fresh: ModuleType) -> None:
    seen: list[list[datetime]] = [[] for _ in range(4)]

    def look(mine: list[datetime]) -> None:
        mine.extend(fresh.utcnow() for _ in range(2000))

    threads = [threading.Thread(target=look, args=(mine,)) for mine in seen]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert all(later - earlier > -CLOSE for mine in seen for earlier, later in pairwise(mine))


def test_it_is_known_without_a_database_once_it_was_measured(
    fresh: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fresh.utcnow()
    monkeypatch.setattr(fresh._database, "_measure", away)
    monkeypatch.setattr(fresh._database, "_tried_at", float("-inf"))
    assert timedelta(0) <= fresh.utcnow() - before < timedelta(seconds=5)


def test_it_is_not_known_before(fresh: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh._database, "_measure", away)
    with pytest.raises(DatabaseUnavailable):
        fresh.utcnow()
    assert fresh.by_wall_clock(datetime.max.replace(tzinfo=UTC)) == datetime.max.replace(tzinfo=UTC)


def test_a_worker_holds_a_message_until_the_databases_time_has_come(
    fresh: ModuleType, ahead: timedelta, execute_slice: Task
) -> None:
    due = fresh.utcnow() + timedelta(seconds=7)
    request = received(execute_slice, eta=due, expires=due)

    assert abs(request.eta - ahead - due) < CLOSE
    assert abs(request.expires - ahead - due) < CLOSE
    # As kombu's timer reckons: by the wall clock, turned into the clock that its heap is sorted by.
    real_wait = to_timestamp(request.eta) - time.monotonic() - ahead.total_seconds()
    assert real_wait == pytest.approx(7, abs=0.5)


def test_a_message_without_an_instant_has_none(fresh: ModuleType, execute_slice: Task) -> None:
    fresh.utcnow()
    request = received(execute_slice)
    assert (request.eta, request.expires) == (None, None)


def received(task: Task, **instants: datetime) -> Any:
    """The request that a worker makes of a message."""
    headers = {"id": "t-1", "task": task.name} | {name: at.isoformat() for name, at in instants.items()}
    message = SimpleNamespace(
        headers=headers, body="", content_type="application/json", content_encoding="utf-8",
        payload=[["sl_1"], {}, {}], delivery_info={}, properties={},
    )  # fmt: skip
    return symbol_by_name(task.Request)(message, app=task.app, task=task)


def away() -> None:
    raise DatabaseUnavailable("away")
