"""How often the book is read: seldom while postbacks tell of everything, as ever as soon as one is missed."""

import pytest

from pulse_core.trading.book.pace import FIRST_PAUSE, LONGEST_PAUSE, ON_ITS_WAY, RELIED_ON_AFTER, Pace
from tests.support.clock import ManualClock

USUAL = 0.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def pace(clock: ManualClock) -> Pace:
    return Pace(clock.monotonic)


def read(pace: Pace, *news: str) -> None:
    pace.note(pace.begin(), news)


def relied_on(pace: Pace) -> Pace:
    for number in range(RELIED_ON_AFTER):
        pace.hint([f"told-{number}"])
        read(pace, f"told-{number}")
    return pace


def pause_of(pace: Pace, clock: ManualClock) -> float:
    """How long it is until the next reading."""
    began = clock.monotonic()
    while not pace.is_due:
        clock.sleep(0.5)
    return clock.monotonic() - began


def test_without_postbacks_the_book_is_read_each_time(pace: Pace, clock: ManualClock) -> None:
    for _ in range(20):
        read(pace, *(("1",) if _ % 5 == 0 else ()))
        assert pause_of(pace, clock) == USUAL
        clock.sleep(1)


def test_while_postbacks_tell_of_everything_it_is_read_more_and_more_slowly(pace: Pace, clock: ManualClock) -> None:
    for number in range(RELIED_ON_AFTER):
        assert pause_of(pace, clock) == USUAL
        pace.hint([str(number)])
        read(pace, str(number))

    pauses = []
    for _ in range(6):
        pauses.append(pause_of(pace, clock))
        read(pace)
    assert pauses == [FIRST_PAUSE, 2, 4, 8, LONGEST_PAUSE, LONGEST_PAUSE]


def test_a_postback_has_it_read_at_once_and_one_that_comes_meanwhile_once_more(pace: Pace, clock: ManualClock) -> None:
    relied_on(pace)
    assert not pace.is_due

    pace.hint(["1"])
    assert pace.is_due
    answered = pace.begin()
    pace.hint(["1"])
    pace.note(answered, ["1"])
    assert pace.is_due
    read(pace)
    assert not pace.is_due


def test_news_that_no_postback_told_of_end_the_trust_until_they_were_right_again(
    pace: Pace, clock: ManualClock
) -> None:
    relied_on(pace)
    pause_of(pace, clock)
    read(pace, "missed")
    for _ in range(4):
        assert pause_of(pace, clock) == USUAL
        clock.sleep(1)
        read(pace)

    for number in range(RELIED_ON_AFTER):
        assert pause_of(pace, clock) == USUAL
        pace.hint([str(number)])
        read(pace, str(number))
    assert pause_of(pace, clock) == FIRST_PAUSE


def test_a_postback_that_comes_a_moment_after_the_reading_was_right(pace: Pace, clock: ManualClock) -> None:
    relied_on(pace)
    pause_of(pace, clock)
    read(pace, "1")
    assert pause_of(pace, clock) == USUAL
    clock.sleep(ON_ITS_WAY / 2)
    pace.hint(["1"])
    read(pace)

    assert pause_of(pace, clock) > USUAL


def test_an_old_hint_does_not_stand_for_what_came_later(pace: Pace, clock: ManualClock) -> None:
    relied_on(pace)
    pace.hint(["1"])
    read(pace, "1")
    pause_of(pace, clock)
    read(pace, "1")

    assert pause_of(pace, clock) == USUAL
