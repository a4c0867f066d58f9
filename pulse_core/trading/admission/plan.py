"""Which turns a round of the admission gives: the rules, in microseconds from its instant."""

from bisect import insort
from collections.abc import Sequence

from pulse_core.trading.admission.limits import SECOND, Limits
from pulse_core.trading.admission.windows import Window, earliest

# In a rush nobody is given a turn farther ahead: whoever comes meanwhile has waited no longer than this.
AHEAD = 3 * SECOND // 2
# How long a cancel waits for a free turn before it takes that of a placement.
CANCELS_WAIT = SECOND


def turns(
    due: Sequence[int], taken: Sequence[int], limits: Limits, most: int | None, start: int = 0
) -> list[int | None]:
    """When each slice may go out, None where it has to wait for another round.

    `due` are their times in the order of their turns, those that are overdue (0 or less) first; `taken` the calls of
    the last minute and those to come, in order of time; `most` how many the day has room for. Nothing goes before
    `start`.
    """
    planned, kept = _Round(limits, taken), len(due) if most is None else most
    # More than go out at once go out evenly: one that is a little late does not meet those of the next second.
    pace = limits.pace if sum(one <= 0 for one in due) > limits.per_second else 0
    given: list[int | None] = []
    next_at = max(start, 0)
    for one in due[:kept]:
        turn = planned.overdue(next_at) if one <= 0 else planned.ahead(max(one, start))
        given.append(turn)
        if one > 0:
            continue
        if turn is None:
            # The rush takes all there is.
            break
        next_at = turn + pace
    return given + [None] * (len(due) - len(given))


def room_at(taken: Sequence[int], limits: Limits, start: int = 0) -> int:
    """When there is room for a placement more."""
    return earliest(max(start, 0), taken, limits.of_placements())


def turns_of_cancels(count: int, taken: Sequence[int], limits: Limits, start: int = 0) -> list[int]:
    """Free turns that come soon enough for so many cancels, perhaps fewer."""
    known, given = list(taken), []
    for _ in range(count):
        turn = earliest(max(start, 0), known, limits.of_cancels())
        if turn > CANCELS_WAIT:
            break
        insort(known, turn)
        given.append(turn)
    return given


class _Round:
    def __init__(self, limits: Limits, taken: Sequence[int]) -> None:
        self._taken = list(taken)
        self._near, self._early = limits.of_placements(), limits.of_early_placements()

    def overdue(self, start: int) -> int | None:
        return self._take(start, self._near, AHEAD)

    def ahead(self, at: int) -> int | None:
        soon = self._take(at, self._near, AHEAD)
        return self._take(at, self._early, at + AHEAD) if soon is None else soon

    def _take(self, at: int, windows: Sequence[Window], latest: int) -> int | None:
        turn = earliest(at, self._taken, windows)
        if turn > latest:
            return None
        insort(self._taken, turn)
        return turn
