"""Which orders the broker's books can show: they begin at some instant, and a day's beginning has two sides."""

from datetime import datetime, timedelta

from pulse_core.brokers.port import Broker

# Longer than a request and a reading of the book take: either may begin on one day and end on the next.
ON_ITS_WAY = timedelta(minutes=1)


def sent_since(broker: Broker, now: datetime) -> datetime:
    """What was sent before this instant is not in the book of now; later, it may be."""
    return broker.covers_since(now) - ON_ITS_WAY


def over_before(broker: Broker, now: datetime) -> datetime:
    """The day of what was sent before this instant is over; the book of now shows it when it shows it at all."""
    return broker.covers_since(now - ON_ITS_WAY)
