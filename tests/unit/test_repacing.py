"""New times for what was kept back: nothing lost that the window holds, and no burst."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from pulse_core.trading.repacing import MOST_OF_PLAN, spread

START = datetime(2026, 11, 27, 6, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def seconds(*after: float) -> list[datetime]:
    return [START + SECOND * one for one in after]


def test_what_still_fits_an_interval_apart_is_not_hurried() -> None:
    times = spread(seconds(15, 30), START + 20 * SECOND, 10 * SECOND, START + 60 * SECOND)

    assert times == seconds(20, 30)


def test_what_would_be_lost_is_spread_over_the_rest_of_the_window() -> None:
    times = spread(seconds(15, 30, 45, 60), START + 36 * SECOND, 15 * SECOND, START + 60 * SECOND)

    assert times == seconds(36, 44, 52, 60)


def test_nothing_goes_out_faster_than_three_times_the_plan() -> None:
    times = spread(seconds(15, 30, 45, 60), START + 54 * SECOND, 15 * SECOND, START + 60 * SECOND)

    assert times == [*seconds(54, 59), None, None]


def test_nothing_fits_into_a_window_that_is_over() -> None:
    assert spread(seconds(15, 30), START + 61 * SECOND, 15 * SECOND, START + 60 * SECOND) == [None, None]


@given(some.integers(2, 100), some.integers(1, 24 * 3600), some.floats(0, 1.2), some.floats(0, 1))
def test_times_keep_the_order_the_window_and_the_cap(count: int, length: int, held_until: float, sent: float) -> None:
    interval = SECOND * length / (count - 1)
    due = [START + interval * index for index in range(int(count * sent), count)]
    now, end_at = START + SECOND * length * held_until, START + SECOND * length

    times = spread(due, now, interval, end_at)

    kept = [one for one in times if one is not None]
    assert len(times) == len(due)
    assert times == kept + [None] * (len(due) - len(kept))
    assert all(now <= one <= end_at for one in kept)
    closest = min((later - one for one, later in pairwise(kept)), default=interval)
    assert closest >= interval / MOST_OF_PLAN - timedelta(milliseconds=1)
