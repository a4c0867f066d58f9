"""Whether a broker's list is whole, by what the one before it had."""

from collections import Counter
from collections.abc import Iterable, Mapping

from pulse_core.instruments.listed import Listed

# Of ten that must still be there, one may be missing.
MOST_MISSING_TENTHS = 1


def why_refused(listed: Iterable[Listed], left: Mapping[str, int]) -> str | None:
    """Why a list is not taken; None when it is. `left`: how many of each exchange the one before has unexpired.

    One exchange that is cut off would go unnoticed among the others, so each counts by itself.
    """
    counts = Counter(one.exchange for one in listed)
    if not counts:
        return "it has no instrument of the exchanges that are served"
    shrunk = [
        f"{exchange} has {counts[exchange]} instruments, and had {count}"
        for exchange, count in sorted(left.items())
        if counts[exchange] * 10 < count * (10 - MOST_MISSING_TENTHS)
    ]
    return f"it has shrunk by more than a tenth: {'; '.join(shrunk)}" if shrunk else None
