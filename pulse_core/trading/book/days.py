"""Which orders the broker's book of today can hold: it shows one day only, and midnight has two sides."""

from datetime import datetime, timedelta

from pulse_core.brokers.port import Broker

# Longer than a request and a reading of the book take: either may begin on one day and end on the next.
ON_ITS_WAY = timedelta(minutes=1)


def sent_since(broker: Broker, now: datetime) -> datetime:
    """What was sent before this instant is not in the book of today; later, it may be."""
    return broker.book_day_start(now) - ON_ITS_WAY


def over_before(broker: Broker, now: datetime) -> datetime:
    """The day of what was sent before this instant is over; the book of today shows it when it shows it at all."""
    return broker.book_day_start(now - ON_ITS_WAY)
