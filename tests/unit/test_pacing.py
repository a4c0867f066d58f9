"""What a pause held up goes out in order, an interval apart, inside the window."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pulse_core.trading.repacing import repace

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minutes: float) -> datetime:
    return NOON + minutes * MINUTE


def test_missed_slices_follow_each_other_from_now_on_and_later_ones_keep_their_times() -> None:
    assert repace([at(1), at(2), at(9)], at(5), MINUTE, at(10)) == [at(5), at(6), at(9)]


def test_a_slice_that_was_not_missed_moves_on_when_those_before_it_need_its_time() -> None:
    assert repace([at(3), at(4), at(5.5)], at(5), MINUTE, at(10)) == [at(5), at(6), at(7)]


def test_what_no_longer_fits_into_the_window_has_no_time() -> None:
    assert repace([at(1), at(2), at(3)], at(9.5), MINUTE, at(10)) == [at(9.5), None, None]


def test_nothing_missed_changes_nothing() -> None:
    assert repace([at(6), at(6.4), at(8)], at(5), MINUTE, at(10)) == [at(6), at(6.4), at(8)]


@given(st.lists(st.floats(0, 60), min_size=1, max_size=100), st.floats(0, 70), st.floats(0.1, 10))
def test_new_times_are_in_order_and_none_is_before_now(minutes: list[float], now: float, interval: float) -> None:
    due = sorted(at(one) for one in minutes)
    times = [time for time in repace(due, at(now), interval * MINUTE, at(60)) if time is not None]

    assert times == sorted(times)
    assert all(at(now) <= time <= at(60) for time in times)
