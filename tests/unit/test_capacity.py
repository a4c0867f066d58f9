"""How much a broker's account takes in a window, and what of it one user may count on."""

import pytest

from pulse_core.trading.admission.capacity import capacity, share
from pulse_core.trading.admission.limits import Limits

# Kite's: of 400 a minute and 5000 a day one in twenty is left to cancels.
KITE = Limits(per_second=10, per_minute=400, per_day=5000)


@pytest.mark.parametrize(
    ("seconds", "left_of_days", "most"),
    [
        (0, None, 10),
        (1, None, 10),
        (1.2, None, 20),
        (60, None, 380),
        (60.2, None, 510),
        (120, None, 760),
        (3600, None, 60 * 380),
        (60, 100, 100),
        (3600, 4750, 4750),
        (60, 0, 0),
    ],
)
def test_a_window_takes_what_every_limit_allows(seconds: float, left_of_days: int | None, most: int) -> None:
    assert capacity(KITE, seconds, left_of_days) == most


def test_without_a_limit_of_a_minute_the_second_counts() -> None:
    assert capacity(Limits(per_second=10), 60, None) == 510


@pytest.mark.parametrize(
    ("most", "others", "own"),
    [
        (380, [], 380),
        # Who wants little leaves the rest.
        (380, [80], 300),
        # Who wants everything gets no more than a half.
        (380, [5000], 190),
        (380, [190], 190),
        (380, [191], 190),
        # The small one has its 20, the two others half of what is left.
        (380, [20, 5000], 180),
        (380, [5000, 20], 180),
        (10, [1000] * 20, 0),
        (0, [5], 0),
    ],
)
def test_one_gets_an_equal_part_and_what_others_leave(most: int, others: list[int], own: int) -> None:
    assert share(most, others) == own


def test_two_who_want_the_same_can_both_count_on_it() -> None:
    assert share(380, [190]) + share(380, [share(380, [190])]) <= 380
