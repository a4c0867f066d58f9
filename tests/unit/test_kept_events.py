"""Of a gap-free feed of which some is archived, nobody misses anything without being told."""

import pytest

from api_contract.errors import Archived
from pulse_core.events.kept import count_before_gap


@pytest.mark.parametrize(
    ("numbers", "after", "last", "kept"),
    [
        ([], 0, 0, 0),
        ([], 5, 5, 0),
        ([], 0, 9, 0),
        ([6, 7], 5, 7, 2),
        ([6, 7, 9], 5, 9, 2),
        ([6, 7], 0, 7, 2),
        ([], 12, 9, 0),
    ],
)
def test_what_follows_without_a_gap_is_given(numbers: list[int], after: int, last: int, kept: int) -> None:
    assert count_before_gap(numbers, after, last) == kept


@pytest.mark.parametrize(("numbers", "after", "last", "go_on"), [([6], 3, 6, 5), ([], 3, 9, 9)])
def test_whoever_would_miss_some_is_told_where_to_go_on(numbers: list[int], after: int, last: int, go_on: int) -> None:
    with pytest.raises(Archived) as told:
        count_before_gap(numbers, after, last)
    assert told.value.details == {"after": go_on}
