"""The rate limit of our own, on a clock that the test moves."""

import threading

import pytest

from pulse_core.brokers.port import NotSent
from pulse_core.brokers.rate_limit import PerSecondLimiter


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


def test_turns_beyond_the_limit_wait_until_a_second_after_the_first() -> None:
    time = Time(100.75)
    assert instants(time, limiter(time), 7) == [100.75] * 3 + [101.75] * 3 + [102.75]


def test_no_second_of_any_clock_holds_more_than_the_limit() -> None:
    time = Time(100.0)
    limit = limiter(time)
    taken = []
    for _ in range(50):
        time.now += 0.22
        taken += instants(time, limit, 1)
    assert all(sum(start <= turn < start + 1 for turn in taken) <= 3 for start in taken)


def test_after_a_quiet_second_nobody_waits() -> None:
    time = Time(100.9)
    limit = limiter(time)
    instants(time, limit, 3)
    time.now = 102.0
    assert instants(time, limit, 3) == [102.0] * 3


def test_a_turn_that_is_too_far_away_is_not_sent_and_takes_nobodys_place() -> None:
    time = Time(100.25)
    limit = limiter(time)
    instants(time, limit, 3)
    for _ in range(5):
        with pytest.raises(NotSent):
            limit.wait_for_turn(0.5)
    assert instants(time, limit, 3) == [101.25] * 3


def test_a_limit_of_zero_lets_everyone_through() -> None:
    time = Time(100.0)
    assert instants(time, limiter(time, turns=0), 50) == [100.0] * 50


def test_threads_that_ask_at_once_share_the_turns_out() -> None:
    pauses: list[float] = []
    limit = PerSecondLimiter(10, lambda: 100.5, pauses.append)
    for _ in range(10):
        limit.wait_for_turn(0)
    threads = [threading.Thread(target=limit.wait_for_turn, args=(60,)) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pauses) == [1.0] * 10 + [2.0] * 10 + [3.0] * 5
