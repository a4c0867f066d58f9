"""The rate limit of our own, on a clock that the test moves."""

import threading

import pytest

from pulse_core.brokers.base import NotSent
from pulse_core.brokers.limiter import PerSecondLimiter


class Time:
    def __init__(self, now: float) -> None:
        self.now = now

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def limiter(time: Time, turns: int = 3) -> PerSecondLimiter:
    return PerSecondLimiter(turns, time.clock, time.sleep)


def instants(time: Time, limit: PerSecondLimiter, count: int) -> list[float]:
    taken = []
    for _ in range(count):
        limit.wait_for_turn(60)
        taken.append(time.now)
    return taken


def test_turns_beyond_the_limit_wait_for_the_next_calendar_second() -> None:
    time = Time(100.75)
    assert instants(time, limiter(time), 7) == [100.75] * 3 + [101.0] * 3 + [102.0]


def test_a_new_second_gives_new_turns_without_waiting() -> None:
    time = Time(100.9)
    limit = limiter(time)
    instants(time, limit, 3)
    time.now = 101.1
    assert instants(time, limit, 3) == [101.1] * 3


def test_a_turn_that_is_too_far_away_is_not_sent_and_takes_nobodys_place() -> None:
    time = Time(100.25)
    limit = limiter(time)
    instants(time, limit, 3)
    for _ in range(5):
        with pytest.raises(NotSent):
            limit.wait_for_turn(0.5)
    assert instants(time, limit, 3) == [101.0] * 3


def test_a_limit_of_zero_lets_everyone_through() -> None:
    time = Time(100.0)
    assert instants(time, limiter(time, turns=0), 50) == [100.0] * 50


def test_threads_that_ask_at_once_share_the_turns_out() -> None:
    pauses: list[float] = []
    limit = PerSecondLimiter(10, lambda: 100.5, pauses.append)
    threads = [threading.Thread(target=limit.wait_for_turn, args=(60,)) for _ in range(35)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pauses) == [0.5] * 10 + [1.5] * 10 + [2.5] * 5
