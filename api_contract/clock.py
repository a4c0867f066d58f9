"""Time as it is handed to whatever needs it, so that a test can give a time of its own."""

from typing import Protocol


class Clock(Protocol):
    """Both readings are in seconds; the second only tells how much time has passed."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that nobody sets."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        ...
