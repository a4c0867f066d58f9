"""The arithmetic of turns: limits hold in every window, nobody waits longer than they ask, cancels find room."""

from bisect import insort
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from pulse_core.trading.admission import plan
from pulse_core.trading.admission.limits import GUARD, SECOND, Limits
from pulse_core.trading.admission.windows import Window, earliest

WINDOWS = st.lists(st.builds(Window, st.integers(1, 4), st.integers(1, 12)), min_size=1, max_size=3)
INSTANTS = st.lists(st.integers(0, 40), max_size=14)
LIMITS = st.builds(Limits, st.integers(1, 12), st.one_of(st.just(0), st.integers(1, 40)))
DUE = st.lists(st.integers(-5 * SECOND, 10 * SECOND), max_size=40).map(sorted)
KITE = Limits(10, 400, 5000)


def holds(taken: Sequence[int], windows: Sequence[Window]) -> bool:
    """Whether no stretch of any window has more calls than it may."""
    return all(
        last - first >= window.length
        for window in windows
        for first, last in zip(taken, taken[window.most :], strict=False)
    )


@given(INSTANTS, WINDOWS)
@example([0, 0], [Window(most=1, length=2)])
def test_a_call_goes_at_the_first_instant_that_keeps_every_window(asked: list[int], windows: list[Window]) -> None:
    taken: list[int] = []
    for at in asked:
        turn = earliest(at, taken, windows)
        assert turn >= at
        assert not any(holds(sorted([*taken, sooner]), windows) for sooner in range(at, turn))
        insort(taken, turn)
        assert holds(taken, windows)


@given(LIMITS, DUE, DUE)
def test_turns_of_two_rounds_together_keep_the_limits(limits: Limits, first: list[int], second: list[int]) -> None:
    taken = turns_of(plan.turns(first, [], limits, None))
    taken = sorted([*taken, *turns_of(plan.turns(second, taken, limits, None))])

    assert holds(taken, limits.of_placements())


@given(LIMITS, DUE)
def test_no_turn_comes_before_its_slice_is_due_nor_long_after_it(limits: Limits, due: list[int]) -> None:
    for one, turn in zip(due, plan.turns(due, [], limits, None), strict=True):
        assert turn is None or max(one, 0) <= turn <= max(one, 0) + plan.AHEAD


def test_ten_that_are_due_go_at_once_and_more_go_evenly() -> None:
    assert plan.turns([0] * 10, [], KITE, None) == [0] * 10

    rush = turns_of(plan.turns([0] * 60, [], KITE, None))
    assert rush == [number * KITE.pace for number in range(len(rush))]
    assert len(rush) == plan.AHEAD // KITE.pace + 1


def test_what_is_due_later_leaves_half_of_its_time_to_those_who_come_meanwhile() -> None:
    later = [3 * SECOND + number * SECOND // 10 for number in range(60)]

    taken = turns_of(plan.turns(later, [], KITE, None))

    newcomers = turns_of(plan.turns([0] * 5, [at - 4 * SECOND for at in taken], KITE, None))
    assert len(newcomers) == 5
    assert newcomers[-1] <= SECOND + GUARD


def test_nothing_goes_before_the_broker_takes_calls_again() -> None:
    assert plan.turns([-SECOND, SECOND // 10], [], KITE, None, start=SECOND) == [SECOND, SECOND]
    assert plan.turns([-SECOND], [], KITE, None, start=60 * SECOND) == [None]


def test_the_day_and_the_minute_leave_some_of_their_calls_to_cancels() -> None:
    assert [KITE.left_of_day(calls) for calls in (0, 4749, 4750, 6000)] == [4750, 1, 0, 0]
    assert plan.turns([0, 0, 0], [], KITE, 2) == [0, 0, None]
    minute = [number * KITE.pace - 60 * SECOND - GUARD for number in range(380)]

    assert plan.turns([0], minute, Limits(10, 400), None) == [0]
    minute = [number * KITE.pace - 50 * SECOND for number in range(380)]
    assert plan.turns([0], minute, Limits(10, 400), None) == [None]
    assert plan.turns_of_cancels(6, minute, Limits(10, 400)) == [0] * 6


def test_a_cancel_that_finds_no_free_turn_within_a_second_gets_none() -> None:
    booked = turns_of(plan.turns([0] * 60, [], KITE, None))

    assert plan.turns_of_cancels(3, booked, KITE) == []


def test_no_limit_is_no_limit() -> None:
    assert Limits(10).left_of_day(10**6) is None
    assert plan.turns([0], [-SECOND * 2] * 5000, Limits(10), None) == [0]


def turns_of(planned: Sequence[int | None]) -> list[int]:
    return sorted(turn for turn in planned if turn is not None)
