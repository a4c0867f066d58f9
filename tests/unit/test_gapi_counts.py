"""What the gateway counts, and what it believes of a Redis that others write to as well."""

import time
from typing import Any, cast

import pytest
import redis

from gapi_app.guard import shared_counts
from gapi_app.guard.shared_counts import PREFIX, SharedCounts
from tests.support.clock import ManualClock

HOUR = 3600


class Pipeline:
    """As much of a Redis as adds numbers up; `is_away` makes it fail."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.is_away = False
        self.pings = 0
        self._answers: list[int] = []

    def ping(self) -> None:
        self.pings += 1
        if self.is_away:
            raise redis.ConnectionError

    def pipeline(self, transaction: bool) -> "Pipeline":
        self._answers = []
        return self

    def incrby(self, key: str, amount: int) -> None:
        if not self.is_away:
            self.totals[key] = self.totals.get(key, 0) + amount
            self._answers.append(self.totals[key])

    def expireat(self, _key: str, _at: int) -> None:
        self._answers.append(1)

    def execute(self) -> list[int]:
        if self.is_away:
            raise redis.ConnectionError
        return self._answers


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


def exchange(shared: SharedCounts, pipeline: Pipeline) -> None:
    shared.exchange(cast("Any", pipeline))


def count(shared: SharedCounts, times: int, key: str = "k") -> int:
    for _ in range(times):
        shared.incr(key, HOUR)
    return shared.get(key)


def test_two_gateways_add_up_what_they_count(pipeline: Pipeline) -> None:
    first, second = SharedCounts(), SharedCounts()
    count(first, 3)
    count(second, 4)
    for one in (first, second, first):
        exchange(one, pipeline)
    assert (first.get("k"), second.get("k")) == (3, 7)

    count(first, 1)
    exchange(first, pipeline)
    assert first.get("k") == 8
    assert list(pipeline.totals.values()) == [8]
    assert all(key.startswith(f"{PREFIX}k:") for key in pipeline.totals)


def test_what_was_counted_without_redis_is_told_later(pipeline: Pipeline) -> None:
    shared = SharedCounts()
    pipeline.is_away = True
    assert count(shared, 5) == 5
    with pytest.raises(redis.ConnectionError):
        exchange(shared, pipeline)
    pipeline.is_away = False
    assert count(shared, 1) == 6
    exchange(shared, pipeline)
    assert list(pipeline.totals.values()) == [6]


def test_an_emptied_redis_gives_no_budget_anew(pipeline: Pipeline) -> None:
    shared = SharedCounts()
    count(shared, 5)
    exchange(shared, pipeline)
    pipeline.totals.clear()
    count(shared, 1)
    exchange(shared, pipeline)
    assert shared.get("k") == 6


def test_a_new_window_begins_at_nothing_and_the_old_one_is_forgotten(
    pipeline: Pipeline,
) -> None:
    clock = ManualClock()
    shared, began_at = SharedCounts(clock=clock), int(clock.now())
    assert count(shared, 5) == 5
    assert shared.get_expiry("k") == (began_at // HOUR + 1) * HOUR
    clock.sleep(HOUR)
    assert shared.get("k") == 0
    assert count(shared, 2) == 2
    exchange(shared, pipeline)
    assert list(pipeline.totals.values()) == [2]


def test_it_remembers_a_bounded_number_of_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_counts, "_MOST_KEPT", 10)
    shared = SharedCounts()
    for number in range(25):
        count(shared, 1, f"address:{number}")
    assert shared.get("address:24") == 1
    assert shared.get("address:0") == 0
    assert shared.get_expiry("address:0") <= time.time()


def test_with_nothing_to_tell_it_looks_once_a_second_whether_redis_is_there(pipeline: Pipeline) -> None:
    clock = ManualClock()
    shared = SharedCounts(clock=clock)
    for _ in range(11):
        exchange(shared, pipeline)
        clock.sleep(0.25)
    assert pipeline.pings == 3

    pipeline.is_away = True
    for _ in range(2):
        clock.sleep(1)
        with pytest.raises(redis.ConnectionError):
            exchange(shared, pipeline)
