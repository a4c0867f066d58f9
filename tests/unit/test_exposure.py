"""Each share of an order is counted in one place."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse_core.domain.enums import SliceStatus
from pulse_core.domain.exposure import Exposure, exposure, leaves_quantity


@dataclass(frozen=True)
class OneSlice:
    status: SliceStatus
    quantity: int
    filled_quantity: int = 0


@st.composite
def some_slice(draw: st.DrawFn) -> OneSlice:
    quantity = draw(st.integers(1, 10**9))
    return OneSlice(draw(st.sampled_from(SliceStatus)), quantity, draw(st.integers(0, quantity)))


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        (SliceStatus.SCHEDULED, Exposure(filled=30, unsent=70)),
        (SliceStatus.SENDING, Exposure(filled=30, unknown=70)),
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
    assert exposure([OneSlice(status, 100, 30)]) == counted


@given(st.lists(some_slice()))
def test_the_parts_never_exceed_the_quantity_of_the_slices(slices: list[OneSlice]) -> None:
    counted = exposure(slices)

    assert counted.total <= sum(one.quantity for one in slices)
    assert min(counted.filled, counted.working, counted.unknown, counted.unsent) >= 0


def test_an_overfilled_slice_counts_all_its_fills_and_no_negative_rest() -> None:
    assert exposure([OneSlice(SliceStatus.WORKING, 100, 120)]) == Exposure(filled=120)


@pytest.mark.parametrize(
    ("filled", "is_final", "leaves"), [(0, False, 100), (40, False, 60), (40, True, 0), (120, False, 0)]
)
def test_leaves_are_what_is_still_wanted(filled: int, is_final: bool, leaves: int) -> None:
    assert leaves_quantity(100, filled, is_final) == leaves
