"""An answer that is made at most once in a while, however often it is asked for."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from api_contract.errors import PulseError

T = TypeVar("T")


class Kept(Generic[T]):
    """The last answer, a refusal too, made anew by one thread at a time and not more often than every `seconds`."""

    def __init__(
        self, make: Callable[[], T], seconds: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._make = make
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._made_at = float("-inf")
        self._answer: T | None = None
        self._refused: PulseError | None = None

    def get(self) -> T:
        """Raises the PulseError that `make` raised."""
        with self._lock:
            if self._clock() - self._made_at >= self._seconds:
                self._make_anew()
            if self._refused is not None:
                raise self._refused.with_traceback(None)
            return self._answer  # type: ignore[return-value]

    def forget(self) -> None:
        """Make the next answer anew."""
        with self._lock:
            self._made_at = float("-inf")

    def _make_anew(self) -> None:
        try:
            self._answer, self._refused = self._make(), None
        except PulseError as refused:
            self._refused = refused
        self._made_at = self._clock()
