"""Slices go out together only when they are due at one instant, or nearly, and not too many at once."""

from datetime import UTC, datetime, timedelta

from pulse_core.trading.slice.batches import MOST, any_together, due_together

START = datetime(2026, 11, 27, 9, 15, tzinfo=UTC)


def sizes(*milliseconds: float) -> list[int]:
    at = [START + timedelta(milliseconds=late) for late in milliseconds]
    return [len(batch) for batch in due_together(at, lambda one: one)]


def test_a_slice_that_is_due_by_itself_goes_by_itself() -> None:
    assert sizes() == []
    assert sizes(0) == [1]
    assert sizes(0, 100, 200) == [1, 1, 1]


def test_what_is_due_within_two_milliseconds_goes_together_and_no_chain_of_them() -> None:
    assert sizes(2, 0, 1) == [3]
    assert sizes(0, 1.5, 3) == [2, 1]


def test_no_batch_has_more_than_sixteen() -> None:
    assert sizes(*[0] * 40) == [16, 16, 8]
    assert [len(one) for one in any_together(range(40))] == [16, 16, 8]
    assert MOST == 16
