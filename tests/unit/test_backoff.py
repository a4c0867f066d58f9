"""The pause before the next attempt grows, stays bounded and spreads."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse_core.backoff import backoff


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (10_000, 30)])
def test_the_pause_doubles_up_to_the_longest(attempt: int, seconds: int) -> None:
    assert backoff(attempt, longest=30) == timedelta(seconds=seconds)


@given(st.integers(1, 1000), st.floats(0.1, 3600), st.floats(0, 1))
def test_the_spread_lengthens_a_pause_by_at_most_a_quarter(attempt: int, longest: float, spread: float) -> None:
    shortest = backoff(attempt, longest)

    assert shortest <= backoff(attempt, longest, spread) <= shortest * 1.25 + timedelta(microseconds=1)
