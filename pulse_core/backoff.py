"""How long to wait before the next attempt."""

from datetime import timedelta


def backoff(attempt: int, longest: float, spread: float = 0.0) -> timedelta:
    """1 s, 2 s, 4 s ... up to `longest` seconds, lengthened by up to a quarter with `spread` in 0..1.

    The spread keeps slices that failed together from coming back together.
    """
    seconds = min(2.0 ** min(attempt - 1, 30), longest)
    return timedelta(seconds=seconds * (1 + spread / 4))
