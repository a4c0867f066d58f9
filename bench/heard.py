"""What a listener has heard; the standard library only, so that listeners are light."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Heard:
    """Events of all streams or deliveries, and when the last of them came, in seconds since the epoch."""

    events: int
    last_at: float
