"""Each share of an order is counted in one place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_contract.vocabulary import SliceStatus
from pulse_core.trading.exposure import Exposure, StatusTotals, exposure, leaves_quantity

shares = st.integers(0, 10**9)
some_tally = st.builds(StatusTotals, st.sampled_from(SliceStatus), st.integers(1, 100), shares, shares)


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        (SliceStatus.SCHEDULED, Exposure(filled=30, unsent=70)),
        (SliceStatus.SENDING, Exposure(filled=30, on_its_way=70)),
        (SliceStatus.UNKNOWN, Exposure(filled=30, unknown=70)),
        (SliceStatus.WORKING, Exposure(filled=30, working=70)),
        (SliceStatus.FILLED, Exposure(filled=30)),
        (SliceStatus.CANCELLED, Exposure(filled=30)),
        (SliceStatus.REJECTED, Exposure(filled=30)),
        (SliceStatus.EXPIRED, Exposure(filled=30)),
        (SliceStatus.FAILED, Exposure(filled=30)),
        (SliceStatus.SKIPPED, Exposure(filled=30)),
    ],
)
def test_what_is_filled_counts_as_filled_and_the_rest_by_its_status(status: SliceStatus, counted: Exposure) -> None:
    assert exposure([StatusTotals(status, 1, 30, 70)]) == counted


@given(st.lists(some_tally))
def test_the_parts_never_exceed_the_quantity_of_the_slices(tallies: list[StatusTotals]) -> None:
    counted = exposure(tallies)

    assert counted.filled == sum(one.filled for one in tallies)
    assert counted.total <= sum(one.filled + one.leaves for one in tallies)
    assert min(counted.filled, counted.working, counted.on_its_way, counted.unknown, counted.unsent) >= 0


@pytest.mark.parametrize(
    ("filled", "is_final", "leaves"), [(0, False, 100), (40, False, 60), (40, True, 0), (120, False, 0)]
)
def test_leaves_are_what_is_still_wanted(filled: int, is_final: bool, leaves: int) -> None:
    assert leaves_quantity(100, filled, is_final) == leaves
