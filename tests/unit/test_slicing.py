"""The schedule of an order, over the whole range of what a client may ask for."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_contract.order_rules import MAX_MINUTES, MAX_QUANTITY, MAX_SPLITS, MIN_MINUTES, MIN_SPLITS
from pulse_core.trading.schedule import PlannedSlice, plan

START = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
MINUTES = st.integers(MIN_MINUTES, MAX_MINUTES)
SEEDS = st.integers(0, 2**63 - 1)
# A microsecond is the smallest step of a timestamp, and each of three operations may round by half of one.
ROUNDING = timedelta(microseconds=2)


@st.composite
def quantities(draw: st.DrawFn) -> tuple[int, int]:
    """(total quantity, number of slices); crowded where the shares hardly suffice."""
    num_splits = draw(st.integers(MIN_SPLITS, MAX_SPLITS))
    total = draw(st.integers(num_splits, num_splits * 12) | st.integers(num_splits, MAX_QUANTITY))
    return total, num_splits


def amounts(planned: list[PlannedSlice]) -> list[int]:
    return [one.quantity for one in planned]


@given(quantities(), MINUTES, st.none() | SEEDS)
def test_the_slices_add_up_to_the_order(asked: tuple[int, int], minutes: int, seed: int) -> None:
    total, num_splits = asked
    planned = plan(total, num_splits, START, timedelta(minutes=minutes), seed)

    assert sum(amounts(planned)) == total
    assert [one.sequence_number for one in planned] == list(range(1, num_splits + 1))
    assert min(amounts(planned)) >= 1


@given(quantities(), SEEDS)
def test_every_randomised_slice_the_last_included_is_within_a_fifth_of_the_average(
    asked: tuple[int, int], seed: int
) -> None:
    total, num_splits = asked
    # Where no whole number lies within a fifth, those next to the average are as close as it gets.
    least = min(-(-8 * total // (10 * num_splits)), total // num_splits)
    most = max(12 * total // (10 * num_splits), -(-total // num_splits))

    for quantity in amounts(plan(total, num_splits, START, timedelta(minutes=60), seed)):
        assert least <= quantity <= most


@given(quantities())
def test_even_slices_differ_by_at_most_one_share_the_larger_first(asked: tuple[int, int]) -> None:
    total, num_splits = asked
    even = amounts(plan(total, num_splits, START, timedelta(minutes=60), None))

    assert max(even) - min(even) <= 1
    assert even == sorted(even, reverse=True)


@given(quantities(), MINUTES, st.none() | SEEDS)
def test_slices_go_out_in_order_from_the_start_to_the_end_of_the_window(
    asked: tuple[int, int], minutes: int, seed: int | None
) -> None:
    total, num_splits = asked
    duration = timedelta(minutes=minutes)
    times = [one.scheduled_at for one in plan(total, num_splits, START, duration, seed)]

    assert (times[0], times[-1]) == (START, START + duration)
    assert all(earlier < later for earlier, later in pairwise(times))


@given(st.integers(MIN_SPLITS, MAX_SPLITS), MINUTES, SEEDS)
def test_inner_times_move_by_at_most_three_tenths_of_the_interval(num_splits: int, minutes: int, seed: int) -> None:
    duration = timedelta(minutes=minutes)
    interval = duration / (num_splits - 1)
    even = plan(num_splits, num_splits, START, duration)

    for moved, unmoved in zip(plan(num_splits, num_splits, START, duration, seed), even, strict=True):
        assert abs(moved.scheduled_at - unmoved.scheduled_at) <= interval * 0.3 + ROUNDING


@given(st.integers(MIN_SPLITS, MAX_SPLITS), MINUTES)
def test_even_times_are_evenly_spaced(num_splits: int, minutes: int) -> None:
    duration = timedelta(minutes=minutes)
    interval = duration / (num_splits - 1)
    times = [one.scheduled_at for one in plan(num_splits, num_splits, START, duration)]

    for earlier, later in pairwise(times):
        assert abs(later - earlier - interval) <= ROUNDING


@given(quantities(), MINUTES, SEEDS)
def test_the_same_seed_gives_the_same_schedule(asked: tuple[int, int], minutes: int, seed: int) -> None:
    total, num_splits = asked
    window = (START, timedelta(minutes=minutes), seed)

    assert plan(total, num_splits, *window) == plan(total, num_splits, *window)


def test_different_seeds_give_different_quantities_and_times() -> None:
    plans = [plan(10_000, 10, START, timedelta(minutes=60), seed) for seed in range(50)]

    assert len({tuple(amounts(one)) for one in plans}) == 50
    assert len({tuple(slice_.scheduled_at for slice_ in one) for one in plans}) == 50


def test_a_stored_seed_gives_this_schedule_for_ever() -> None:
    planned = plan(100, 5, START, timedelta(minutes=60), seed=7)

    assert [(one.quantity, (one.scheduled_at - START).total_seconds()) for one in planned] == [
        (20, 0.0),
        (19, 827.472015),
        (22, 1561.319419),
        (18, 2704.015296),
        (21, 3600.0),
    ]


def test_randomised_quantities_use_the_whole_range_in_every_place() -> None:
    plans = [amounts(plan(1000, 5, START, timedelta(minutes=60), seed)) for seed in range(400)]

    for place in zip(*plans, strict=True):
        assert min(place) < 170
        assert max(place) > 230


@pytest.mark.parametrize(("total", "num_splits"), [(4, 5), (1, 2)])
def test_fewer_shares_than_slices_are_refused(total: int, num_splits: int) -> None:
    with pytest.raises(ValueError, match="too few"):
        plan(total, num_splits, START, timedelta(minutes=60), None)
