"""What a process has loaded by the time it serves, and keeps until its end."""

import gc
from functools import cache


@cache
def leave_uncollected() -> None:
    """Let the garbage collector pass over all that lives now: once, when the process is ready to serve.

    More than a hundred thousand objects of code and libraries are there to stay. A full collection looks at each,
    and holds up every thread meanwhile.
    """
    gc.collect()
    gc.freeze()
