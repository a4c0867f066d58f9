"""What a process has loaded by the time it serves, and keeps until its end."""

import gc
from functools import cache

# Garbage is looked for after so many new objects, and in what has survived that ten and a hundred times more seldom. A
# reading of a long book makes thousands, which are gone by themselves a moment later: by Python's own 700 they would
# grow old meanwhile, and full collections come again and again, each a tenth of a second in which no thread runs.
SELDOM = (20_000, 10, 10)


@cache
def leave_uncollected() -> None:
    """Let the garbage collector pass over all that lives now, and come seldom: once, when the process serves.

    More than a hundred thousand objects of code and libraries are there to stay. A full collection looks at each,
    and holds up every thread meanwhile.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)
