"""What an account at a broker may be asked, and how much of it placements may take."""

from collections.abc import Sequence
from dataclasses import dataclass

from pulse_core.brokers.port import Broker
from pulse_core.config import settings
from pulse_core.trading.admission.windows import Window

SECOND = 1_000_000
# A call reaches the broker some time after its turn began, and the broker counts by a clock that we don't share.
GUARD = SECOND // 5
# Of the calls of a minute and of a day one in so many is left to cancels.
RESERVED = 20


@dataclass(frozen=True)
class Limits:
    """Most calls in a second, a minute and a day; 0 a minute or a day: no such limit."""

    per_second: int
    per_minute: int = 0
    per_day: int = 0

    @property
    def pace(self) -> int:
        """Microseconds between two calls in a rush."""
        return -(-(SECOND + GUARD) // self.per_second)

    def of_cancels(self) -> Sequence[Window]:
        """They may use whatever the broker gives."""
        return _windows(self.per_second, self.per_minute)

    def of_placements(self) -> Sequence[Window]:
        """What cancels leave."""
        return _windows(self.per_second, _unreserved(self.per_minute))

    def of_early_placements(self) -> Sequence[Window]:
        """Half of that: whoever comes later finds room among those that were given their turns long before."""
        second, *minute = self.of_placements()
        slower = Window(second.most, 2 * second.length)
        return slower, *(Window(max(one.most // 2, 1), one.length) for one in minute)

    def left_of_day(self, calls: int) -> int | None:
        """How many placements the day has room for after so many calls; None: without limit."""
        return max(_unreserved(self.per_day) - calls, 0) if self.per_day else None


def is_on() -> bool:
    """Whether calls need turns at all."""
    return settings().broker_orders_per_second != 0


def limits(broker: Broker) -> Limits:
    """Those of an account at this broker."""
    return Limits(broker.limits.per_second, broker.limits.per_minute, broker.limits.per_day)


def _unreserved(most: int) -> int:
    return most - max(most // RESERVED, 1) if most > 1 else most


def _windows(per_second: int, per_minute: int) -> Sequence[Window]:
    second = Window(per_second, SECOND + GUARD)
    return (second, Window(per_minute, 60 * SECOND + GUARD)) if per_minute else (second,)
