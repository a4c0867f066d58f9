"""Time that runs only while orders are taken: where a part of a window lies on the clock, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class TradingTime:
    """Stretches of the clock, each with its start and its end, in order and apart from each other."""

    stretches: Sequence[tuple[datetime, datetime]]

    @property
    def length(self) -> timedelta:
        return sum((end - start for start, end in self.stretches), timedelta(0))

    def at(self, passed: timedelta) -> datetime:
        """When so much of it has passed. The end of a stretch comes before the start of the next one."""
        left = passed
        for start, end in self.stretches:
            if left <= end - start:
                return start + left
            left -= end - start
        return self.stretches[-1][1] + left

    def passed(self, instant: datetime) -> timedelta:
        """How much of it has passed at an instant; after its end it goes on."""
        until = (max(min(end, instant) - start, timedelta(0)) for start, end in self.stretches)
        return sum(until, max(instant - self.stretches[-1][1], timedelta(0)))

    def runs_from(self, instant: datetime) -> datetime:
        """The instant itself while it runs, else when it runs again; after its end, the instant too."""
        return max(next((start for start, end in self.stretches if instant <= end), instant), instant)
