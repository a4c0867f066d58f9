"""What is still here of a gap-free feed: whoever would miss archived events is told so.

Who asks for a feed from its beginning, after 0, gets it from the first event that is here.
"""

from collections.abc import Sequence

from api_contract.errors import Archived


def count_before_gap(numbers: Sequence[int], after: int, last: int) -> int:
    """How many of a feed's next events, by their numbers, follow the one named without a gap.

    `last` is the highest number that the feed has given out. Raises Archived where the very next is gone, with where to
    go on.
    """
    reached = numbers[0] - 1 if numbers and after == 0 else after
    kept = next((place for place, number in enumerate(numbers) if number != reached + 1 + place), len(numbers))
    if kept == 0 and 0 < after < last:
        go_on = numbers[0] - 1 if numbers else last
        raise Archived(f"the events after {after} were moved to the archive", {"after": go_on})
    return kept
